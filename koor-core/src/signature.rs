//! Webhook signatures: how a receiver knows that a delivery is ours.

use base64::{Engine as _, engine::general_purpose::STANDARD_PAD_INDIFFERENT};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::error::Invalid;

/// How a secret says that the rest of it is base64, in the Standard Webhooks specification.
const ENCODED_PREFIX: &str = "whsec_";

/// The block of SHA-256, to which HMAC pads its key.
const BLOCK: usize = 64;

/// The value of `X-Koor-Signature`: the HMAC-SHA256 of the body in lower-case hex, its key the secret's bytes.
#[must_use]
pub fn hex_signature(secret: &str, body: &[u8]) -> String {
    hex::encode(sign(secret.as_bytes(), &[body]))
}

/// The value of `webhook-signature` as Standard Webhooks defines it, for a delivery with this id and time.
///
/// # Errors
/// When the secret is one that [`check_secret`] refuses.
pub fn standard_signature(
    secret: &str,
    id: &str,
    timestamp_secs: i64,
    body: &[u8],
) -> Result<String, Invalid> {
    let signed = format!("{id}.{timestamp_secs}.");
    let signature = sign(&key(secret)?, &[signed.as_bytes(), body]);
    Ok(format!("v1,{}", STANDARD_PAD_INDIFFERENT.encode(signature)))
}

/// Takes a secret that both kinds of signature can use.
///
/// # Errors
/// When it begins with `whsec_` and what follows is not the base64 of a key.
pub fn check_secret(secret: &str) -> Result<(), Invalid> {
    key(secret).map(drop)
}

fn key(secret: &str) -> Result<Vec<u8>, Invalid> {
    let Some(encoded) = secret.strip_prefix(ENCODED_PREFIX) else { return Ok(secret.into()) };
    // The decoder's own message would quote a character of the secret.
    match STANDARD_PAD_INDIFFERENT.decode(encoded) {
        Ok(key) if key.is_empty() => Err(Invalid::new("invalid secret: nothing follows whsec_")),
        Ok(key) => Ok(key),
        Err(_) => Err(Invalid::new("invalid secret: what follows whsec_ is not base64")),
    }
}

/// HMAC takes a key of any length, but only a key of one block through a constructor that cannot fail; so the
/// key is brought to that length here, as RFC 2104 says.
fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let hashed;
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key);
        hashed.as_slice()
    } else {
        key
    };
    let mut block = [0_u8; BLOCK];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"topic":"api.change","data":{"n":1}}"#;

    #[test]
    fn a_hex_signature_is_the_hmac_of_the_body() {
        for (secret, body, expected) in [
            ("s3cret", BODY, "9d9af392871847ca8e4c5f0b6067942fad591e9aab2ef4da9f5237f829d64eac"),
            ("", b"", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
            (&"k".repeat(64), b"x", "f91c4c403625fb06910ef93999265bbd2d62baeaec6ff36455498cc124fe3e66"),
            (&"k".repeat(100), BODY, "d4243907a9dd24d7eb23520d5a274ebf8eacdcd7aaf2ea1b815a03c4be1ae28b"),
        ] {
            assert_eq!(hex_signature(secret, body), expected, "{secret}");
        }
    }

    #[test]
    fn a_standard_signature_takes_its_key_from_the_secret() {
        for (secret, expected) in [
            ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "v1,sgMo0953m4X8KMUcPbhfQVpF1t/93LrZGCEpmJAkdg8="),
            ("s3cret", "v1,EZsiJ/eNWT5BjMifKne2e3eWRMkWdDglL64/f/vUEV0="),
        ] {
            let signature = standard_signature(secret, "msg_1", 1_614_265_330, BODY);
            assert_eq!(signature.as_deref(), Ok(expected), "{secret}");
        }
    }

    #[test]
    fn the_published_example_of_the_specification_comes_out() {
        let signature = standard_signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn padding_of_the_encoded_key_does_not_matter() {
        assert_eq!(key("whsec_YQ"), Ok(b"a".to_vec()));
        assert_eq!(key("whsec_YQ=="), Ok(b"a".to_vec()));
    }

    #[test]
    fn a_secret_that_hides_no_key_is_refused_without_repeating_it() {
        let said = |secret| check_secret(secret).map_err(|invalid| invalid.to_string());
        assert_eq!(said("anything else"), Ok(()));
        assert_eq!(said("whsec_"), Err("invalid secret: nothing follows whsec_".into()));
        assert_eq!(said("whsec_!"), Err("invalid secret: what follows whsec_ is not base64".into()));
    }
}
