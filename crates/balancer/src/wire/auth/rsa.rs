//! The public key under which a password crosses a connection that is not encrypted.
//!
//! The client asks for the key, gets it as PEM, and sends the password, veiled with the scramble, under RSA-OAEP with
//! SHA-1. Nothing proves whose key it is: this keeps listeners out, not somebody who stands in the middle.

use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::sha2::veil;

/// Bits of a key that is made here.
const BITS: usize = 2048;

/// What is wrong with a key or with what came under it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no key.
    #[error("this is no RSA key in PEM: {0}")]
    NoKey(String),
    /// The system or the arithmetic failed, or the text was not made for this key.
    #[error("RSA: {0}")]
    Failed(String),
}

fn failed(error: rsa::Error) -> KeyError {
    KeyError::Failed(error.to_string())
}

/// A server's pair of keys.
#[derive(Clone, Debug)]
pub struct KeyPair {
    private: RsaPrivateKey,
    /// The public half, as it is sent.
    pub pem: String,
}

impl KeyPair {
    /// Makes a pair. Takes from tenths of a second to seconds.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(RsaPrivateKey::new(&mut OsRng, BITS).map_err(failed)?)
    }

    /// Reads a private key, PKCS#8 or PKCS#1.
    pub fn read(pem: &str) -> Result<Self, KeyError> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).or_else(|error| {
            RsaPrivateKey::from_pkcs1_pem(pem).map_err(|_| KeyError::NoKey(error.to_string()))
        });
        Self::of(key?)
    }

    fn of(private: RsaPrivateKey) -> Result<Self, KeyError> {
        let pem = private.to_public_key().to_public_key_pem(LineEnding::LF);
        let pem = pem.map_err(|error| KeyError::NoKey(error.to_string()))?;
        Ok(Self { private, pem })
    }

    /// Bytes of what can be encrypted with it.
    pub fn size(&self) -> usize {
        self.private.size()
    }

    /// The password in what a client sent under a scramble. Takes milliseconds.
    pub fn open(&self, sealed: &[u8], scramble: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let padding = Oaep::new::<Sha1>();
        let mut text =
            Zeroizing::new(self.private.decrypt_blinded(&mut OsRng, padding, sealed).map_err(failed)?);
        veil(&mut text, scramble);
        match text.pop() {
            Some(0) => Ok(text),
            _ => Err(KeyError::Failed("no zero at the end".to_owned())),
        }
    }
}

/// A password as a server with this public key wants it.
pub fn seal(pem: &[u8], password: &[u8], scramble: &[u8]) -> Result<Vec<u8>, KeyError> {
    let no_key = |error: String| KeyError::NoKey(error);
    let pem = std::str::from_utf8(pem).map_err(|error| no_key(error.to_string()))?;
    let key = RsaPublicKey::from_public_key_pem(pem.trim_end_matches('\0').trim_end());
    let key = key.map_err(|error| no_key(error.to_string()))?;
    let mut text = Zeroizing::new([password, &[0]].concat());
    veil(&mut text, scramble);
    key.encrypt(&mut OsRng, Oaep::new::<Sha1>(), &text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl genrsa -traditional 1024`; for tests alone.
    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQC3iLnEU6VPnfw7heImE/ymfGv/x4loevvoh0p4oesFj6SKfg/s
eC4zfRtEVQL7mEFEsGZsSSUoEe7Fz4QBp/VKPB2PsokuAHrkUgmbfEZ6vg11Axx9
wGY7KuSkr1WEIQEADHjXLQbHreKaTNN4aD1D4dHXWt6KZm9orTBDEct2UQIDAQAB
AoGBAJ5uQ1YLkq84xKypNQADztv0mdHxcFclmuEuMIYT1+o0BiibC6noUJGX1HrX
G70NwIHH+JJPTejaGhDdwqkfUKhuTByUg4uujWzBHuuRHiTRUUJWmm3+l+sgnRsx
IXbIL9PbNrAz8KSGArJZ+gULV3Srj7xD583mx9qD+DicbyXlAkEA58xNP+xja/gn
gHnUaSgEr5n5linZphoH3LKoYFFV2t7txW65HMNjqKQrjcSu77fcz5HDWO6y3Jzw
/gHQMaZWcwJBAMqyYgaWi7d0B47CN1MmnaBooedCLlYQ4JRGW8v72bNvTTHIVEow
qePXyZpxetvQTpccWBEtXKbAnCqrN6lMCysCQEO14jryCnjXnHJjJDEzh2rkR4wd
3X4vzGwjpBu+pp2w0TQDC//i85GnozFeatuLkezwX2fzEjxve9Y3IWHffRECQHnu
1QkhhurU4bb/Hkjm8euNBdgX98fOX0rTCGWtG0jVq5pG6G242Ho3VQ+TNFUG+j/s
zQ2IPDQTqd4BIXq2RAECQQCXLJS9NaetCB4vttZp/TIWMPSWQPVudIvYqCOksZS0
roH7KX755H2u1gxsTKHqZL6TbDgMtjg2kZGqYcKG4g1m
-----END RSA PRIVATE KEY-----
";

    #[test]
    fn a_password_is_opened_under_its_scramble_and_key() {
        let keys = KeyPair::read(KEY).unwrap();
        let sealed = seal(keys.pem.as_bytes(), b"secret", &[7; 20]).unwrap();
        assert_eq!(sealed.len(), keys.size());
        assert_eq!(keys.open(&sealed, &[7; 20]).unwrap().as_slice(), b"secret");
        assert!(keys.open(&sealed, &[8; 20]).is_err(), "another scramble leaves another last byte");
        assert!(keys.open(&sealed[1..], &[7; 20]).is_err());
        assert!(keys.open(&[], &[7; 20]).is_err());
        let too_long = seal(keys.pem.as_bytes(), &[b'x'; 200], &[7; 20]);
        assert!(matches!(too_long, Err(KeyError::Failed(_))));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(matches!(KeyPair::read("-----BEGIN NOTHING-----"), Err(KeyError::NoKey(_))));
        assert!(matches!(seal(b"\xFF\xFE", b"secret", &[7; 20]), Err(KeyError::NoKey(_))));
        assert!(matches!(seal(b"no key", b"secret", &[7; 20]), Err(KeyError::NoKey(_))));
    }
}
