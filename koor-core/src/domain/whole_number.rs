//! Whole numbers in JSON, however they are written.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

/// A whole number however it is written: to JSON Schema, and to clients in languages with one kind of number, `3.0` is
/// one.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Whole;

    impl Visitor<'_> for Whole {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("i64")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
            i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
            /// Beyond this, not every whole number has a float of its own.
            const EXACT: f64 = 9_007_199_254_740_992.0;
            if number.fract() != 0.0 || number.abs() > EXACT {
                return Err(E::invalid_type(Unexpected::Float(number), &self));
            }
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            Ok(number as i64)
        }
    }

    deserializer.deserialize_i64(Whole)
}

/// The same, where there may be none, and where there is one it is not negative.
pub(crate) fn count_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Whole(#[serde(deserialize_with = "whole_number")] i64);

    let negative = |number| de::Error::invalid_value(Unexpected::Signed(number), &"a count");
    Option::<Whole>::deserialize(deserializer)?
        .map(|Whole(number)| u64::try_from(number).map_err(|_| negative(number)))
        .transpose()
}
