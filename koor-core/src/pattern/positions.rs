//! Matching in time that grows with the pattern alone.
//!
//! A set of places in the text, one bit each, says where the tokens so far can end. Each token moves the whole set at
//! once, some words at a time, so no pattern makes anything be tried twice.

use super::Token;

const BITS: usize = u64::BITS as usize;

/// Which characters stand where in a text.
#[derive(Debug)]
pub(super) struct Positions {
    /// How many characters the text has.
    length: usize,
    /// Each character that is in it, with a bit for each place where it stands.
    alphabet: Vec<(char, Box<[u64]>)>,
}

impl Positions {
    pub(super) fn of(text: &str) -> Self {
        let length = text.chars().count();
        let mut alphabet: Vec<(char, Box<[u64]>)> = Vec::new();
        for (at, c) in text.chars().enumerate() {
            let known = alphabet.binary_search_by_key(&c, |(known, _)| *known);
            let index = known.unwrap_or_else(|index| {
                alphabet.insert(index, (c, vec![0; words(length)].into()));
                index
            });
            alphabet[index].1[at / BITS] |= 1 << (at % BITS);
        }
        Self { length, alphabet }
    }

    /// Whether the tokens, one after the other, are the whole text.
    pub(super) fn match_all(&self, tokens: &[Token]) -> bool {
        let mut ends = vec![0; words(self.length)];
        ends[0] = 1;
        for token in tokens {
            match token {
                Token::Run => self.extend(&mut ends),
                Token::One => advance(&mut ends, |_| u64::MAX),
                Token::Char(c) => match self.alphabet.binary_search_by_key(c, |(known, _)| *known) {
                    Ok(index) => advance(&mut ends, |word| self.alphabet[index].1[word]),
                    Err(_) => return false,
                },
                Token::Class { .. } => {
                    let mut taken = vec![0; ends.len()];
                    for (_, places) in self.alphabet.iter().filter(|(c, _)| token.takes(*c)) {
                        taken.iter_mut().zip(places).for_each(|(taken, places)| *taken |= places);
                    }
                    advance(&mut ends, |word| taken[word]);
                }
            }
            if ends.iter().all(|word| *word == 0) {
                return false;
            }
        }
        ends[self.length / BITS] & (1 << (self.length % BITS)) != 0
    }

    /// From the first of the ends on, every place is one.
    fn extend(&self, ends: &mut [u64]) {
        let mut begun = false;
        for word in ends.iter_mut() {
            if begun {
                *word = u64::MAX;
            } else if *word != 0 {
                *word = u64::MAX << word.trailing_zeros();
                begun = true;
            }
        }
        // Nothing ends behind the text.
        if let Some(last) = ends.last_mut() {
            *last &= u64::MAX >> (BITS - 1 - self.length % BITS);
        }
    }
}

/// How many words have a bit for each place of a text, its end included.
fn words(length: usize) -> usize {
    length / BITS + 1
}

/// Moves on by one character each end behind which one stands that is taken.
fn advance(ends: &mut [u64], taken: impl Fn(usize) -> u64) {
    let mut carried = 0;
    for (index, word) in ends.iter_mut().enumerate() {
        let moved = *word & taken(index);
        *word = (moved << 1) | carried;
        carried = moved >> (BITS - 1);
    }
}
