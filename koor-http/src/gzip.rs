//! Bodies that were packed with gzip.

use std::io::{self, Read as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::error::Failure;

fn broken(error: &io::Error) -> Failure {
    Failure::invalid(format!("invalid gzip body: {error}"))
}

/// How many bytes a body has when it is unpacked; more than the limit is too large. Nothing of it is kept.
pub(crate) fn unpacked_size(packed: &[u8], limit: u64) -> Result<u64, Failure> {
    let mut unpacked = MultiGzDecoder::new(packed).take(limit.saturating_add(1));
    match io::copy(&mut unpacked, &mut io::sink()) {
        Ok(size) if size > limit => Err(Failure::TooLarge(limit)),
        Ok(size) => Ok(size),
        Err(error) => Err(broken(&error)),
    }
}

/// Unpacks a body of that size.
pub(crate) fn unpack(packed: &[u8], size: u64) -> Result<Bytes, Failure> {
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    MultiGzDecoder::new(packed).take(size).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_refused_before_anything_of_it_is_kept() {
        let bomb = packed(&vec![0; 1 << 20]);
        assert!(bomb.len() < 2048, "{}", bomb.len());
        assert!(matches!(unpacked_size(&bomb, 1 << 10), Err(Failure::TooLarge(1024))));
        assert_eq!(unpacked_size(&bomb, 1 << 20).unwrap(), 1 << 20);
        assert_eq!(unpack(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn what_is_not_packed_is_refused() {
        let mut cut = packed(b"some text that is long enough to be cut");
        cut.truncate(20);
        for wrong in [&b"{}"[..], b"\x1f\x8b", &cut] {
            assert!(unpacked_size(wrong, 1024).is_err(), "{wrong:?}");
        }
    }
}
