//! How MySQL keeps a password for `caching_sha2_password`: SHA-256 crypt with thousands of rounds and a salt of 20 bytes.
//!
//! Source: U. Drepper, "Unix crypt using SHA-256 and SHA-512"; MySQL allows a longer salt and writes the rounds, in
//! thousands, as three hexadecimal digits: `$A$005$`, 20 bytes of salt, 43 characters.

use sha2::{Digest, Sha256};

use super::same;

/// Bytes of salt.
const SALT: usize = 20;
/// Characters of the digest.
const DIGEST: usize = 43;
/// No password is longer, as in MySQL: the work grows with the square of the length.
pub const LONGEST: usize = 256;

/// A password as MySQL keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypt {
    rounds: u32,
    salt: [u8; SALT],
    digest: [u8; DIGEST],
}

impl Crypt {
    /// Reads `$A$005$` and what follows.
    pub fn read(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"$A$")?;
        let (rounds, rest) = rest.split_first_chunk::<3>()?;
        let (salt, digest) = rest.strip_prefix(b"$")?.split_first_chunk::<SALT>()?;
        let thousands = u32::from_str_radix(std::str::from_utf8(rounds).ok()?, 16).ok()?;
        Some(Self { rounds: thousands.max(1) * 1000, salt: *salt, digest: digest.try_into().ok()? })
    }

    /// A password with a salt, as MySQL would keep it with its default of 5,000 rounds.
    pub fn of(password: &[u8], salt: [u8; SALT]) -> Self {
        Self { rounds: 5000, salt, digest: crypt(password, &salt, 5000) }
    }

    /// The text that [`Crypt::read`] reads.
    pub fn write(&self) -> Vec<u8> {
        let head = format!("$A${:03X}$", self.rounds / 1000).into_bytes();
        [&head[..], &self.salt, &self.digest].concat()
    }

    /// With as many rounds and other bytes, which no password leads to.
    pub fn with_noise(&self, noise: &[u8; 32]) -> Self {
        let mut other = self.clone();
        other.salt.copy_from_slice(&noise[..SALT]);
        // No digest has this letter.
        other.digest = [b'!'; DIGEST];
        other
    }

    /// Whether it was made of this password. Takes milliseconds on purpose.
    pub fn proves(&self, password: &[u8]) -> bool {
        password.len() <= LONGEST && same(&crypt(password, &self.salt, self.rounds), &self.digest)
    }
}

fn crypt(password: &[u8], salt: &[u8], rounds: u32) -> [u8; DIGEST] {
    let once = Sha256::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut sum = Sha256::new().chain_update(password).chain_update(salt);
    sum.update(stretch(&once, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        sum.update(if bits & 1 == 1 { &once[..] } else { password });
        bits >>= 1;
    }
    let mut sum = sum.finalize();
    let password = {
        let mut digest = Sha256::new();
        password.iter().for_each(|_| digest.update(password));
        stretch(&digest.finalize(), password.len())
    };
    let salt = {
        let mut digest = Sha256::new();
        (0..16 + usize::from(sum[0])).for_each(|_| digest.update(salt));
        stretch(&digest.finalize(), salt.len())
    };
    for round in 0..rounds {
        let odd = round & 1 == 1;
        let mut next = Sha256::new();
        next.update(if odd { &password[..] } else { &sum[..] });
        if round % 3 != 0 {
            next.update(&salt);
        }
        if round % 7 != 0 {
            next.update(&password);
        }
        next.update(if odd { &sum[..] } else { &password[..] });
        sum = next.finalize();
    }
    written(&sum.into())
}

/// The bytes again and again, up to a length.
fn stretch(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// Three bytes become four characters, the lowest six bits first; the bytes are taken in an order of crypt's own.
fn written(sum: &[u8; 32]) -> [u8; DIGEST] {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let triple = |n: usize| match n {
        10 => [0, usize::from(sum[31]), usize::from(sum[30])],
        n => {
            // 0 10 20, 21 1 11, 12 22 2, 3 13 23, …
            let bytes = [n, n + 10, n + 20];
            let turned = match n % 3 {
                0 => [bytes[0], bytes[1], bytes[2]],
                1 => [bytes[2], bytes[0], bytes[1]],
                _ => [bytes[1], bytes[2], bytes[0]],
            };
            turned.map(|at| usize::from(sum[at]))
        }
    };
    let mut out = [0; DIGEST];
    for (n, four) in out.chunks_mut(4).enumerate() {
        let [a, b, c] = triple(n);
        let mut bits = a << 16 | b << 8 | c;
        for letter in four {
            *letter = LETTERS[bits & 63];
            bits >>= 6;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_specification() {
        // Made with glibc's crypt(3), whose salts have 16 bytes at most.
        let x = "x".repeat(100);
        for (salt, rounds, password, expected) in [
            ("saltstring", 5000, "Hello world!", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            ("saltstringsaltst", 10_000, "Hello world!", "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
            ("abcdefgh", 1000, x.as_str(), "tb8m4vtK.iJZix3YMndSJyqNooLP8hrbt8UpdzJSZ96"),
        ] {
            let made = crypt(password.as_bytes(), salt.as_bytes(), rounds);
            assert_eq!(std::str::from_utf8(&made).unwrap(), expected, "{salt}");
        }
    }

    #[test]
    fn what_mysql_keeps_is_read_and_proved() {
        // Hashcat's example of its mode 7401: a server's own row, with the password `hashcat`.
        let salt = b"\xF9\xCC\x98\xCE\x08\x89\x29\x24\xF5\x0A\x21\x3B\x6B\xC5\x71\xA2\xC1\x17\x78\xC5";
        let kept = [&b"$A$005$"[..], salt, b"bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/"].concat();
        let crypt = Crypt::read(&kept).expect("as a server keeps it");
        assert!(
            crypt.proves(b"hashcat") && !crypt.proves(b"hashcats") && !crypt.proves(&[b'h'; LONGEST + 1])
        );
        assert_eq!(Crypt::of(b"hashcat", *salt), crypt);
        assert_eq!(crypt.write(), kept);
        for end in 0..kept.len() {
            assert_eq!(Crypt::read(&kept[..end]), None, "cut at {end}");
        }
    }
}
