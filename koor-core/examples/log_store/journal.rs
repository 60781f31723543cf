//! The file: one record after another, each with its length before it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// A file to which whole records are added.
pub(crate) struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens the file, and reads what is in it. The last record may have been cut off by the end of a process: it was
    /// never answered, and goes.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (mut records, mut rest) = (Vec::new(), &bytes[..]);
        while let Some((record, after)) = first(rest) {
            records.push(record.to_vec());
            rest = after;
        }
        let mut journal = Self { file, length: (bytes.len() - rest.len()) as u64 };
        journal.cut()?;
        Ok((journal, records))
    }

    /// Adds a record: when this answers `Ok`, it is on disk; else it is as if nothing had been tried.
    pub(crate) fn append(&mut self, record: &[u8]) -> io::Result<()> {
        let length = u32::try_from(record.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let bytes = [&length.to_le_bytes(), record].concat();
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            self.cut()?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes away what stands after the last whole record.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

/// The first record, if it is whole, and what comes after it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}
