//! What TLS computes with: what every server must have, and nothing beside it.
//!
//! rustls brings two more ways to do the same, and their tables (docs/decisions/0006-runtime.md). It offers
//! no way to leave them out, so what is left in is named here; a test holds it against what rustls names.

use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::{
    SignatureScheme, SupportedCipherSuite,
    crypto::{
        CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, SupportedKxGroup,
        WebPkiSupportedAlgorithms,
        ring::{cipher_suite, kx_group},
    },
    pki_types::PrivateKeyDer,
    sign::SigningKey,
};
use webpki::ring as algorithm;

/// AES, which each of Lambda's processors can do in hardware. Without `ChaCha20`, which is for others.
const CIPHER_SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// The curves that certificates need, too. Without X25519: who speaks TLS 1.3 must have P-256.
const GROUPS: [&dyn SupportedKxGroup; 2] = [kx_group::SECP256R1, kx_group::SECP384R1];

/// How certificates are signed. Without Ed25519, which no public authority signs with.
const ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithm::ECDSA_P256_SHA256,
        algorithm::ECDSA_P256_SHA384,
        algorithm::ECDSA_P384_SHA256,
        algorithm::ECDSA_P384_SHA384,
        algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithm::RSA_PKCS1_2048_8192_SHA256,
        algorithm::RSA_PKCS1_2048_8192_SHA384,
        algorithm::RSA_PKCS1_2048_8192_SHA512,
        algorithm::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithm::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithm::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        // Before TLS 1.3 the curve may be either.
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[algorithm::ECDSA_P384_SHA384, algorithm::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA256],
        ),
        (SignatureScheme::RSA_PSS_SHA512, &[algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[algorithm::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[algorithm::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[algorithm::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

/// All that TLS computes with.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: CIPHER_SUITES.to_vec(),
        kx_groups: GROUPS.to_vec(),
        signature_verification_algorithms: ALGORITHMS,
        secure_random: &Random,
        key_provider: &NoKeys,
    }
}

/// The random numbers of the system.
#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        SystemRandom::new().fill(bytes).map_err(|_| GetRandomFailed)
    }
}

/// No private keys: nobody asks a function for a certificate of its own. What reads and uses them is left
/// out.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("there are no keys".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustls::crypto::ring::default_provider;

    use super::*;

    #[test]
    fn only_what_is_said_to_be_left_out_of_what_rustls_has_is_left_out() {
        let (ours, all) = (provider(), default_provider());

        let suites = |it: &CryptoProvider| -> Vec<String> {
            it.cipher_suites.iter().map(|it| format!("{:?}", it.suite())).collect()
        };
        let aes: Vec<_> = suites(&all).into_iter().filter(|it| !it.contains("CHACHA20")).collect();
        assert_eq!(suites(&ours), aes);
        let groups = |it: &CryptoProvider| -> Vec<String> {
            it.kx_groups.iter().map(|it| format!("{:?}", it.name())).collect()
        };
        let nist: Vec<_> = groups(&all).into_iter().filter(|it| it != "X25519").collect();
        assert_eq!(groups(&ours), nist);
    }

    #[test]
    fn certificates_are_checked_as_rustls_checks_them_but_for_ed25519() {
        let ours = provider().signature_verification_algorithms;
        let all = default_provider().signature_verification_algorithms;

        let ed25519 = rustls::pki_types::alg_id::ED25519;
        let mapping = |it: &WebPkiSupportedAlgorithms| -> Vec<String> {
            it.mapping
                .iter()
                .filter(|(scheme, _)| *scheme != SignatureScheme::ED25519)
                .map(|it| format!("{it:?}"))
                .collect()
        };
        assert_eq!(mapping(&ours), mapping(&all));
        assert!(ours.mapping.iter().all(|(scheme, _)| *scheme != SignatureScheme::ED25519));
        let algorithms = |it: &WebPkiSupportedAlgorithms| -> BTreeSet<String> {
            it.all
                .iter()
                .filter(|it| it.signature_alg_id() != ed25519)
                .map(|it| format!("{it:?}"))
                .collect()
        };
        assert_eq!(algorithms(&ours), algorithms(&all));
        assert!(ours.all.iter().all(|it| it.signature_alg_id() != ed25519));
    }

    #[test]
    fn random_bytes_are_no_two_times_the_same() {
        let (mut first, mut second) = ([0; 32], [0; 32]);

        provider().secure_random.fill(&mut first).unwrap();
        provider().secure_random.fill(&mut second).unwrap();

        assert_ne!(first, second);
    }
}
