//! The wire format of Protocol Buffers: fields one after the other, taken from a slice without a copy.

use super::collect::Unreadable;

/// The value of a field, as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// The bytes of a text, a message or a list.
    pub(super) fn bytes(self) -> Result<&'a [u8], Unreadable> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Unreadable::new("a field has another type than it must have")),
        }
    }

    /// A text.
    pub(super) fn text(self) -> Result<&'a str, Unreadable> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unreadable::new("a text is not UTF-8"))
    }

    /// A number of eight bytes.
    pub(super) fn fixed64(self) -> Result<u64, Unreadable> {
        match self {
            Self::Fixed64(number) => Ok(number),
            _ => Err(Unreadable::new("a field has another type than it must have")),
        }
    }

    /// A number of one to ten bytes.
    pub(super) fn varint(self) -> Result<u64, Unreadable> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(Unreadable::new("a field has another type than it must have")),
        }
    }
}

/// The fields of a message, in the order in which they were written. It ends with the first that can't be read.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Unreadable> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or_else(|| Unreadable::new("it ends within a field"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Unreadable> {
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if index == 9 && bits > 1 {
                break;
            }
            number |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(Unreadable::new("a number has no end"))
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Unreadable> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Unreadable::new("a field has a type that there is not")),
        };
        match key >> 3 {
            0 => Err(Unreadable::new("a field has no number")),
            number => Ok((number, value)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let taken = self.take(N as u64)?;
        taken.try_into().map_err(|_| Unreadable::new("it ends within a field"))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Appends a number as one to ten bytes.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits go into this byte")]
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is below 128")]
    bytes.push(number as u8);
}

/// Appends a text or a message as a field.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(bytes, field << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

/// Appends a number as a field.
pub(super) fn put_number(bytes: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(bytes, field << 3);
    put_varint(bytes, number);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    enum Written {
        Varint(u64),
        Fixed64(u64),
        Bytes(Vec<u8>),
        Fixed32(u32),
    }

    fn written() -> impl Strategy<Value = (u64, Written)> {
        let value = prop_oneof![
            any::<u64>().prop_map(Written::Varint),
            any::<u64>().prop_map(Written::Fixed64),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(Written::Bytes),
            any::<u32>().prop_map(Written::Fixed32),
        ];
        (1_u64..(1 << 29), value)
    }

    fn encode(fields: &[(u64, Written)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, value) in fields {
            match value {
                Written::Varint(value) => put_number(&mut bytes, *number, *value),
                Written::Fixed64(value) => {
                    put_varint(&mut bytes, number << 3 | 1);
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
                Written::Bytes(value) => put_bytes(&mut bytes, *number, value),
                Written::Fixed32(value) => {
                    put_varint(&mut bytes, number << 3 | 5);
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(fields in proptest::collection::vec(written(), 0..20)) {
            let bytes = encode(&fields);
            let read: Result<Vec<_>, _> = Fields::of(&bytes).collect();
            let read: Vec<_> = read.unwrap().into_iter().map(|(number, value)| (number, match value {
                Value::Varint(value) => Written::Varint(value),
                Value::Fixed64(value) => Written::Fixed64(value),
                Value::Bytes(value) => Written::Bytes(value.to_vec()),
                Value::Fixed32(value) => Written::Fixed32(value),
            })).collect();
            prop_assert_eq!(read, fields);
        }

        #[test]
        fn a_message_that_is_cut_within_a_field_is_refused(
            fields in proptest::collection::vec(written(), 1..5), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = encode(&fields);
            let at = cut.index(bytes.len());
            let ends: Vec<usize> = (0..=fields.len()).map(|count| encode(&fields[..count]).len()).collect();
            let read: Result<Vec<_>, _> = Fields::of(&bytes[..at]).collect();
            prop_assert_eq!(read.is_ok(), ends.contains(&at));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            // Each field takes at least two bytes, and so it comes to an end.
            prop_assert!(Fields::of(&bytes).count() <= bytes.len() / 2 + 1);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in [
            &[0x08][..],
            &[0x00, 0x00],
            &[0x0b],
            &[0x0f, 0x00],
            &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[0x09, 1, 2, 3],
        ] {
            assert!(Fields::of(wrong).any(|field| field.is_err()), "{wrong:?}");
        }
    }
}
