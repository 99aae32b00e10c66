//! The local issuer of tokens: a key for each run, and its documents in the local AWS.
//!
//! A shop's own issuer stands in its place on AWS; the template has no default for it.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use loyalty_runtime::clock;
use serde_json::{Value, json};

use super::{StackError, local};

/// Whom tokens are for.
pub(crate) const AUDIENCE: &str = "loyalty";
/// The name of the key among the issuer's.
const KEY_ID: &str = "this-run";
/// How long a token is good: a day of trying.
const TOKEN_S: i64 = 24 * 60 * 60;

/// A key that signs.
pub(crate) struct Key(KeyPair);

impl Key {
    /// A new one, of 2,048 bits.
    pub(crate) fn new() -> Result<Self, StackError> {
        KeyPair::generate(KeySize::Rsa2048).map(Self).map_err(|_| StackError::Key)
    }

    /// The one that [`Key::text`] wrote.
    pub(crate) fn of(text: &str) -> Result<Self, StackError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| StackError::Key)?;
        KeyPair::from_pkcs8(&bytes).map(Self).map_err(|_| StackError::Key)
    }

    /// The key as text.
    pub(crate) fn text(&self) -> String {
        let der: Result<Pkcs8V1Der<'_>, _> = self.0.as_der();
        der.map(|it| BASE64_STANDARD.encode(it.as_ref())).unwrap_or_default()
    }

    fn sign(&self, text: &str) -> Result<String, StackError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| StackError::Key)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The issuer's address, which is in every token.
pub(crate) fn url(endpoint: &str) -> String {
    format!("{endpoint}/loyalty-issuer")
}

/// Puts the documents where the API's authorizer looks for them.
pub(crate) fn publish(key: &Key, endpoint: &str) -> Result<(), StackError> {
    let url = url(endpoint);
    let public_key = key.0.public_key();
    let number = |it: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(it);
    let keys = json!({"keys": [{
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": KEY_ID,
        "n": number(public_key.modulus().big_endian_without_leading_zero()),
        "e": number(public_key.exponent().big_endian_without_leading_zero()),
    }]});
    let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/.well-known/jwks.json")});
    local::put(&url, "")?;
    local::put(&format!("{url}/.well-known/jwks.json"), &keys.to_string())?;
    local::put(&format!("{url}/.well-known/openid-configuration"), &discovery.to_string())
}

/// Whose a token is.
pub(crate) struct Who {
    pub(crate) subject: String,
    pub(crate) scope: Option<String>,
    pub(crate) audience: String,
    pub(crate) is_expired: bool,
}

impl Who {
    /// A member.
    pub(crate) fn member(id: &str) -> Self {
        let audience = AUDIENCE.to_owned();
        Self { subject: id.to_owned(), scope: None, audience, is_expired: false }
    }
}

/// A token: a JWT by RFC 7519, signed by RS256.
pub(crate) fn token(key: &Key, endpoint: &str, who: &Who) -> Result<String, StackError> {
    let now = clock::now().as_second();
    let (issued_at, expires_at) =
        if who.is_expired { (now - 7_200, now - 3_600) } else { (now, now + TOKEN_S) };
    let mut claims = json!({
        "iss": url(endpoint), "sub": who.subject, "aud": who.audience,
        "iat": issued_at, "exp": expires_at,
    });
    if let (Some(scope), Some(claims)) = (&who.scope, claims.as_object_mut()) {
        claims.insert("scope".to_owned(), scope.clone().into());
    }
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
    let encode = |it: &Value| BASE64_URL_SAFE_NO_PAD.encode(it.to_string());
    let text = format!("{}.{}", encode(&header), encode(&claims));
    let signature = key.sign(&text)?;
    Ok(format!("{text}.{signature}"))
}
