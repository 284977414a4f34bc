//! The number that two people compare by another way, to know that nobody has put false keys between them.

use wire::codec::Wire;
use wire::directory::Record;
use wire::kdf::{Label, hash};
use wire::size::HASH;

const SAFETY_NUMBER: Label = Label("iirs 1 safety number");

/// How often each account is hashed: it costs milliseconds to show a number, and makes guessing 5,200 times dearer.
const ITERATIONS: u32 = 5200;

/// Digits that are read together.
const GROUP_DIGITS: usize = 5;

/// Bytes of the hash that make a group: so many more than five digits need that each of them is as likely as any
/// other, to one part in ten million.
const GROUP_BYTES: usize = 5;

/// Groups of one account.
const GROUPS: usize = 6;

const _: () = assert!(GROUPS * GROUP_BYTES <= HASH);

/// Returns the safety number of two accounts: 60 decimal digits, 30 of each account, the smaller half first, so that
/// both sides have the same.
///
/// It binds both names and all four public keys. Whoever wants to stand between two people unnoticed has to find keys
/// of his own under the name of one of them with the same 30 digits: 10³⁰ (2⁹⁹·⁷) tries of 5,200 hashes, so 2¹¹² hashes,
/// divided by the number of people whom he would take. It holds nothing secret.
///
/// Source: Signal's numeric fingerprint (`NumericFingerprintGenerator` of libsignal: 30 digits of each side, 5,200
/// iterations of SHA-512 over the identity key), here with SHA-256 under a label, over name and both keys.
pub(crate) fn safety_number(one: &Record, other: &Record) -> String {
    let mut halves = [half(one), half(other)];
    halves.sort_unstable();
    halves.concat()
}

/// The 30 digits of an account.
fn half(record: &Record) -> String {
    let name = record.name.encode();
    let account: [&[u8]; 3] = [&name, &record.signing.0, &record.agreement.0];
    let mut value = hash(SAFETY_NUMBER, &account);
    for _ in 1..ITERATIONS {
        value = hash(SAFETY_NUMBER, &[&value, account[0], account[1], account[2]]);
    }
    value.chunks_exact(GROUP_BYTES).take(GROUPS).map(group).collect()
}

/// Five bytes as five digits.
fn group(bytes: &[u8]) -> String {
    let number = bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    format!("{:0GROUP_DIGITS$}", number % 100_000)
}

#[cfg(test)]
mod tests {
    use wire::public_key::PublicKey;
    use wire::size::{PUBLIC_KEY, SIGNATURE};

    use super::*;

    fn key(first: u8, rest: u8) -> PublicKey {
        let mut bytes = [rest; PUBLIC_KEY];
        bytes[0] = first;
        PublicKey(bytes)
    }

    fn record(name: &str, signing: PublicKey, agreement: PublicKey) -> Record {
        Record { name: name.parse().unwrap(), signing, agreement, signature: [0; SIGNATURE] }
    }

    fn ann() -> Record {
        record("ann", key(2, 0x11), key(3, 0x22))
    }

    fn bob() -> Record {
        record("bob", key(3, 0x33), key(2, 0x44))
    }

    /// The digits come from `tests/vectors/safety_number.py`.
    #[test]
    fn the_number_is_what_an_independent_program_computes() {
        let expected = "425198763626236971985361284461830889862552955668050650078993";
        assert_eq!(safety_number(&ann(), &bob()), expected);
    }

    #[test]
    fn both_sides_have_the_same() {
        assert_eq!(safety_number(&ann(), &bob()), safety_number(&bob(), &ann()));
        let number = safety_number(&ann(), &bob());
        assert!(number.len() == 60 && number.bytes().all(|digit| digit.is_ascii_digit()));
    }

    #[test]
    fn any_other_key_or_name_on_either_side_is_another_number() {
        let (ann, bob) = (ann(), bob());
        let mut seen = vec![safety_number(&ann, &bob)];
        for of in [ann, bob] {
            let peer = if of.name == ann.name { bob } else { ann };
            for other in [
                Record { name: "cid".parse().unwrap(), ..of },
                Record { signing: key(2, 0x55), ..of },
                Record { agreement: key(2, 0x55), ..of },
                Record { signing: of.agreement, agreement: of.signing, ..of },
            ] {
                seen.push(safety_number(&other, &peer));
            }
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn the_signature_of_a_record_is_not_bound() {
        let again = Record { signature: [7; SIGNATURE], ..ann() };
        assert_eq!(safety_number(&again, &bob()), safety_number(&ann(), &bob()));
    }

    #[test]
    fn every_group_has_five_digits() {
        assert_eq!(group(&[0, 0, 0, 0, 7]), "00007");
        assert_eq!(group(&[0xff; 5]), "27775");
    }
}
