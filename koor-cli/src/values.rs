//! Values as people write them: sizes and counts.

/// Reads `10MiB`, `512 kB`, `1048576`.
///
/// # Errors
/// Says what would be right.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const WANTED: &str = "write a size such as 10MiB, 512kB or 1048576";
    let (number, unit) = split(text).ok_or(WANTED)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(WANTED.to_owned()),
    };
    number.checked_mul(factor).ok_or_else(|| WANTED.to_owned())
}

/// Reads a whole number that is not negative.
///
/// # Errors
/// Says what would be right.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.trim().parse() {
        // The store counts in signed numbers.
        Ok(n) if n <= i64::MAX.unsigned_abs() => Ok(n),
        Ok(_) | Err(_) => Err("write a whole number".to_owned()),
    }
}

/// A whole number, and what follows it.
fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [
            ("10MiB", 10 << 20),
            ("1048576", 1 << 20),
            ("512 kB", 512_000),
            ("1g", 1_000_000_000),
            (" 7b ", 7),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5MiB", "10 MiBs", "99999999999999999999", "18446744073709551615k"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(count("1000"), Ok(1000));
        for bad in ["", "-1", "1e3", "1,000", "9223372036854775808"] {
            assert!(count(bad).is_err(), "{bad}");
        }
    }
}
