//! One record as both copies know it, and its form in the database.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | format version, [`VERSION`] |
//! | 1 | kind: 0 plain, 1 precious, 2 removed |
//! | 8 | revision, little endian |
//! | 4 | length of the payload, little endian |
//! | 4 | CRC-32 of the key, the four fields above and the payload, little endian |
//! | … | payload: the bytes the core gave, JSON; empty if removed |
//!
//! The first byte, the length and what the checksum covers are the same in every version, so that damage is not taken for a
//! newer release.

use super::StoreError;

/// The format written here.
pub(super) const VERSION: u8 = 1;
const HEAD: usize = 14;

/// What a record stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Kept in the database alone, unless it ends the life of a precious one.
    Plain,
    /// Kept in the journal as well.
    Precious,
    /// The key was precious and is removed. Stands until both copies have forgotten the key: an absence could not be told from
    /// a loss, and the older copy would come back.
    Removed,
}

impl Kind {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Precious => 1,
            Self::Removed => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Plain),
            1 => Some(Self::Precious),
            2 => Some(Self::Removed),
            _ => None,
        }
    }
}

/// A record with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub key: &'a str,
    pub revision: u64,
    pub kind: Kind,
    pub bytes: &'a [u8],
}

/// A record read from the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub revision: u64,
    pub kind: Kind,
    pub bytes: Vec<u8>,
}

impl Stored {
    /// The same with its key.
    pub(super) fn as_record<'a>(&'a self, key: &'a str) -> Record<'a> {
        Record { key, revision: self.revision, kind: self.kind, bytes: &self.bytes }
    }
}

impl Record<'_> {
    /// The value for the database.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut head = [0; HEAD];
        head[0] = VERSION;
        head[1] = self.kind.code();
        head[2..10].copy_from_slice(&self.revision.to_le_bytes());
        // Never truncated: records are refused long before 4 GiB.
        head[10..14].copy_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        let mut out = Vec::with_capacity(HEAD + 4 + self.bytes.len());
        out.extend(head);
        out.extend(checksum(self.key, &head, self.bytes).to_le_bytes());
        out.extend(self.bytes);
        out
    }
}

/// Reads a value of the database. `Ok(None)` if it is damaged.
///
/// # Errors
/// [`StoreError::Newer`] if it was written by a newer release.
pub(super) fn decode(key: &str, value: &[u8]) -> Result<Option<Stored>, StoreError> {
    let Some((head, rest)) = value.split_first_chunk::<HEAD>() else { return Ok(None) };
    let &[version, kind, r0, r1, r2, r3, r4, r5, r6, r7, l0, l1, l2, l3] = head;
    let Some((crc, bytes)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    if u32::from_le_bytes([l0, l1, l2, l3]) as usize != bytes.len() || u32::from_le_bytes(*crc) != checksum(key, head, bytes) {
        return Ok(None);
    }
    if version > VERSION {
        return Err(StoreError::Newer { place: format!("the record {key}"), found: version.into(), known: VERSION.into() });
    }
    let Some(kind) = Kind::from_code(kind) else { return Ok(None) };
    let revision = u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    Ok(Some(Stored { revision, kind, bytes: bytes.to_vec() }))
}

/// The number of bytes that a value beginning with `head` has in all; `None` if this is no head.
pub(super) fn whole_length(head: &[u8]) -> Option<usize> {
    let length = head.get(10..14)?.first_chunk::<4>()?;
    Some(HEAD + 4 + u32::from_le_bytes(*length) as usize)
}

fn checksum(key: &str, head: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(head);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record<'static> =
        Record { key: "call/EL_DR001_7", revision: 0x0102_0304_0506_0708, kind: Kind::Precious, bytes: b"{\"a\":1}" };

    #[test]
    fn the_form_is_the_documented_one() {
        let value = RECORD.encode();
        assert_eq!(value[..14], [1, 1, 8, 7, 6, 5, 4, 3, 2, 1, 7, 0, 0, 0]);
        assert_eq!(value[18..], *b"{\"a\":1}");
        let mut covered = b"call/EL_DR001_7".to_vec();
        covered.extend(&value[..14]);
        covered.extend(&value[18..]);
        assert_eq!(value[14..18], crc32fast::hash(&covered).to_le_bytes());
        assert_eq!(whole_length(&value), Some(value.len()));
        let back = decode(RECORD.key, &value).unwrap().unwrap();
        assert_eq!(back, Stored { revision: RECORD.revision, kind: RECORD.kind, bytes: RECORD.bytes.to_vec() });
    }

    #[test]
    fn no_shortened_changed_or_misplaced_value_is_read() {
        let value = RECORD.encode();
        for length in 0..value.len() {
            assert_eq!(decode(RECORD.key, &value[..length]).unwrap(), None, "{length} bytes");
        }
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 0x10;
            assert_eq!(decode(RECORD.key, &changed).unwrap(), None, "byte {at}");
        }
        assert_eq!(decode("call/EL_DR001_8", &value).unwrap(), None);
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let mut value = RECORD.encode();
        value[0] = VERSION + 1;
        let mut covered = RECORD.key.as_bytes().to_vec();
        covered.extend(&value[..HEAD]);
        covered.extend(RECORD.bytes);
        value[HEAD..HEAD + 4].copy_from_slice(&crc32fast::hash(&covered).to_le_bytes());
        let refusal = decode(RECORD.key, &value).unwrap_err();
        assert!(matches!(refusal, StoreError::Newer { found: 2, known: 1, .. }));
        assert!(refusal.to_string().contains("call/EL_DR001_7"));
    }
}
