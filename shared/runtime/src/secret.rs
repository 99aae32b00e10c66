//! Hashes with a key, and random numbers: what a code or a contact becomes before it is kept.
//!
//! Whoever reads the members table without the secret learns no phone number from a hash, although all
//! numbers there are could be tried in an hour without a key. The secret is read once a cold start and never
//! rotated: hashes that were made by another one would find nobody.

use std::{error::Error, fmt};

use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};

/// The least that a secret has, which is all that the hash can use of it.
const SECRET_BYTES_MIN: usize = 32;

/// What stands before all that is hashed, so that the secret never says anything about other messages.
const DOMAIN: &[u8] = b"loyalty/keyed-hash/1";

/// The secret is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its text is shorter than a hash, or it has none. Only another secret helps.
    #[error("the secret is no text of at least {SECRET_BYTES_MIN} bytes")]
    TooShort,
    /// It could not be read. Trying again may help.
    #[error("the secret could not be read")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// The system has no random numbers. Trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandom;

/// What hashes are made with.
///
/// There is deliberately no way to get the secret out of it.
#[derive(Clone)]
pub struct HashKey(hmac::Key);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

impl HashKey {
    /// The key that `secret` is.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`]: it could be guessed.
    pub fn of(secret: &[u8]) -> Result<Self, SecretError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretError::TooShort);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// Reads the secret called `secret_id`.
    ///
    /// # Errors
    ///
    /// A [`SecretError`]. None says anything of what the secret is.
    pub async fn read(
        client: &aws_sdk_secretsmanager::Client,
        secret_id: &str,
    ) -> Result<Self, SecretError> {
        let read = client.get_secret_value().secret_id(secret_id).send().await;
        let read = read.map_err(|error| SecretError::Unavailable(error.into()))?;
        Self::of(read.secret_string().unwrap_or_default().as_bytes())
    }

    /// The hash of what `parts` say together, as something of the kind `kind`: HMAC-SHA256.
    ///
    /// Whoever hashes has brought the parts into one form before: another case is another hash. The same text
    /// has another hash under another kind, and two lists of parts have the same hash only where they are
    /// the same list: `["ab", "c"]` is not `["a", "bc"]`.
    pub fn hash(&self, kind: &str, parts: &[&str]) -> [u8; 32] {
        let mut hash = [0; 32];
        let made = hmac::sign(&self.0, &message(kind, parts));
        for (byte, made) in hash.iter_mut().zip(made.as_ref()) {
            *byte = *made;
        }
        hash
    }

    /// Whether `hash` is that of `parts` as `kind`. How long it takes does not say how much of it is right.
    pub fn is_hash(&self, kind: &str, parts: &[&str], hash: &[u8]) -> bool {
        hmac::verify(&self.0, &message(kind, parts), hash).is_ok()
    }
}

/// What is hashed: each text with its length before it, so that nothing behind it can be taken for a part of it.
fn message(kind: &str, parts: &[&str]) -> Vec<u8> {
    let mut message = DOMAIN.to_vec();
    for text in [kind].iter().chain(parts) {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        message.extend(length.to_be_bytes());
        message.extend(text.as_bytes());
    }
    message
}

/// Fills `bytes` with random numbers that nobody can guess.
///
/// # Errors
///
/// [`NoRandom`]: they are not random, and must not be used.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), NoRandom> {
    SystemRandom::new().fill(bytes).map_err(|_| NoRandom)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        io::{Read, Write},
        net::TcpListener,
        thread,
        time::Duration,
    };

    use crate::{aws::Aws, log::ErrorChain};

    use super::*;

    const SECRET: &str = "a secret of forty-two bytes, for the tests";

    fn key() -> HashKey {
        HashKey::of(SECRET.as_bytes()).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
        digits.filter_map(|it| char::from_digit(it.into(), 16)).collect()
    }

    #[test]
    fn a_hash_never_changes_since_it_is_what_is_looked_for() {
        // As made by another implementation of HMAC-SHA256.
        let phone = "5616afc8b25ef4c1e2c0edfa8600cda65b17b2a82e250866a7970ef4ac2273f1";
        assert_eq!(hex(&key().hash("phone", &["+493012345678"])), phone);
        let activation = "b0fc987cf93bd598c7b269b1d0f3919c914736bec05c7c4ba6c77c94504a5324";
        assert_eq!(hex(&key().hash("activation", &["m1", "123456"])), activation);
    }

    #[test]
    fn every_kind_every_key_and_every_list_of_parts_has_hashes_of_its_own() {
        let other = HashKey::of(&[7; 32]).unwrap();

        let hashes = [
            key().hash("phone", &["ab"]),
            key().hash("mail", &["ab"]),
            key().hash("phone", &["AB"]),
            key().hash("phone", &["a", "b"]),
            key().hash("phone", &["", "ab"]),
            key().hash("phone", &["ab", ""]),
            key().hash("phonea", &["b"]),
            key().hash("phone", &[]),
            other.hash("phone", &["ab"]),
        ];

        assert_eq!(BTreeSet::from(hashes).len(), hashes.len());
    }

    #[test]
    fn a_hash_is_recognized_whole_and_nothing_else_is() {
        let hash = key().hash("activation", &["m1", "123456"]);

        assert!(key().is_hash("activation", &["m1", "123456"], &hash));
        assert!(!key().is_hash("activation", &["m2", "123456"], &hash));
        assert!(!key().is_hash("phone", &["m1", "123456"], &hash));
        let (shorter, mut other) = (&hash[..31], hash);
        other[31] ^= 1;
        for wrong in [shorter, &other, &[]] {
            assert!(!key().is_hash("activation", &["m1", "123456"], wrong));
        }
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_none_and_no_key_shows_itself() {
        assert!(matches!(HashKey::of(&[7; 31]), Err(SecretError::TooShort)));
        assert!(matches!(HashKey::of(b""), Err(SecretError::TooShort)));
        assert_eq!(format!("{:?}", key()), "HashKey(…)");
    }

    #[test]
    fn random_bytes_are_no_two_times_the_same() {
        let (mut one, mut other) = ([0; 32], [0; 32]);

        fill_random(&mut one).unwrap();
        fill_random(&mut other).unwrap();

        assert_ne!(one, other);
    }

    /// What a service that answers `status` and `body` to everything was asked, and what came of it.
    async fn read(status: &str, body: &str) -> (String, Result<HashKey, SecretError>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut asked = String::new();
            let mut bytes = [0; 4_096];
            while !asked.ends_with('}') {
                let length = connection.read(&mut bytes).unwrap();
                asked.push_str(str::from_utf8(&bytes[..length]).unwrap());
            }
            connection.write_all(answer.as_bytes()).unwrap();
            asked
        });
        let aws = Aws::from_lookup(|name| match name {
            "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
            _ => Some("eu-central-1".to_owned()),
        });
        let client = aws.unwrap().secretsmanager(Duration::from_secs(5));

        let read = HashKey::read(&client, "the-secret").await;

        (server.join().unwrap(), read)
    }

    #[tokio::test]
    async fn the_secret_is_read_by_its_name() {
        let body = format!("{{\"Name\":\"n\",\"SecretString\":\"{SECRET}\"}}");

        let (asked, read) = read("200 OK", &body).await;

        assert!(asked.contains("secretsmanager.GetSecretValue"), "{asked}");
        assert!(asked.ends_with("{\"SecretId\":\"the-secret\"}"), "{asked}");
        assert_eq!(read.unwrap().hash("phone", &["a"]), key().hash("phone", &["a"]));
    }

    #[tokio::test]
    async fn a_secret_that_is_short_or_missing_stops_the_start_and_is_not_shown() {
        let (_, short) = read("200 OK", "{\"SecretString\":\"hunter2\"}").await;
        let short = short.unwrap_err();
        assert!(matches!(short, SecretError::TooShort));
        assert!(!format!("{short:?} {}", ErrorChain(&short)).contains("hunter2"));

        let body = "{\"__type\":\"ResourceNotFoundException\",\"Message\":\"not there\"}";
        let (_, missing) = read("400 Bad Request", body).await;
        assert!(matches!(missing, Err(SecretError::Unavailable(_))));
    }
}
