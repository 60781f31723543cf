//! The one shape of an enum of plain words.

/// Makes an enum whose variants are words: the same in JSON, in a store and in messages.
///
/// The first literal is what the word says something about, the last one the choice that a wrong word is answered with.
macro_rules! string_enum {
    (
        $(#[$doc:meta])* $name:ident, $what:literal,
        { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }, $choice:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        crate::schema::describe!($name: {"type": "string", "enum": [$($word),+]});

        impl $name {
            /// The word for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::invalid::Invalid;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(crate::invalid::Invalid::new(format!(
                        concat!("unknown ", $what, " {:?} (use ", $choice, ")"), word
                    ))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use string_enum;
