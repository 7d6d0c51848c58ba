//! What the first page says of a database: sizes, encoding, format.
//!
//! Apart from the trees, which are read in its terms. Source: sqlite.org/fileformat2.html section 1.3.

use super::{Ended, four_bytes, two_bytes};

/// Bytes of the header.
pub(crate) const LENGTH: usize = 100;
/// The first of the bytes that SQLite locks, and keeps nothing in.
const LOCK_BYTE: usize = 0x4000_0000;
/// So many free pages are read in no time.
const FREE_AT_LEAST: u32 = 4_096;
/// SQLite refuses less room on a page (section 1.3.4).
const USABLE_AT_LEAST: usize = 480;

/// The part of a header that is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of a page.
    pub(crate) page_size: usize,
    /// Bytes of a page that are not reserved.
    pub(crate) usable: usize,
    /// Pages of the database.
    pub(crate) count: u32,
    /// The first trunk page of free pages; 0 where there are none.
    pub(crate) free: u32,
    /// How many pages are free.
    pub(crate) unused: u32,
    /// Whether it has pages that say what others are for (auto-vacuum).
    pub(crate) has_maps: bool,
}

impl Header {
    /// Reads it. A database of another encoding or of an old format is in doubt, as is one whose size is not in it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Header, Ended> {
        if !bytes.starts_with(b"SQLite format 3\0") {
            return Err(Ended::Doubt("it does not begin as a database does"));
        }
        let page_size = match two_bytes(bytes, 16)? {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => size,
            _ => return Err(Ended::Doubt("its page size is none")),
        };
        let reserved = bytes.get(20).copied().map(usize::from);
        let usable = reserved.and_then(|reserved| page_size.checked_sub(reserved)).unwrap_or(0);
        if usable < USABLE_AT_LEAST {
            return Err(Ended::Doubt("too much of its pages is reserved"));
        }
        let count = four_bytes(bytes, 28)?;
        // Programs before SQLite 3.7 leave the size as it was.
        if count == 0 || four_bytes(bytes, 24)? != four_bytes(bytes, 92)? {
            return Err(Ended::Doubt("its size is not in its header"));
        }
        if four_bytes(bytes, 44)? != 4 || four_bytes(bytes, 56)? != 1 {
            return Err(Ended::Doubt("it is of an old format, or not in UTF-8"));
        }
        let (free, unused) = (four_bytes(bytes, 32)?, four_bytes(bytes, 36)?);
        let has_maps = four_bytes(bytes, 52)? != 0;
        Ok(Header { page_size, usable, count, free, unused, has_maps })
    }

    /// Whether so many pages are free that reading all rows takes no longer than reading all pages.
    pub(super) fn is_mostly_free(self) -> bool {
        self.unused >= FREE_AT_LEAST && u64::from(self.unused) * 8 > u64::from(self.count) * 7
    }

    /// Whether pages of both are read alike.
    pub(super) fn is_like(self, other: Header) -> bool {
        (self.page_size, self.usable) == (other.page_size, other.usable)
    }

    /// Whether a page has nothing of any row, wherever it lies: what SQLite locks (section 1.4) and what says of pages what they
    /// are for (section 1.8) is in no tree and no chain, whatever it begins with.
    pub(super) fn is_no_content(self, number: u32) -> bool {
        let lock = u32::try_from(LOCK_BYTE / self.page_size).map_or(0, |before| before + 1);
        if number == lock {
            return true;
        }
        let (Some(from_two), Ok(each)) = (number.checked_sub(2), u32::try_from(self.usable / 5 + 1)) else {
            return false;
        };
        let map = from_two / each * each + 2;
        self.has_maps && number == if map == lock { map + 1 } else { map }
    }
}
