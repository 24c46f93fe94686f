//! MP4: boxes in boxes.

use std::ops::Range;
use std::path::Path;

use super::decode::failed;
use super::other;
use crate::Error;

/// A file; a box is the range of its content.
pub(super) struct Boxes<'a> {
    pub bytes: &'a [u8],
    pub path: &'a Path,
}

/// The kind of a box, and its content.
pub(super) type Found = ([u8; 4], Range<usize>);

impl Boxes<'_> {
    pub fn broken(&self, got: &str) -> Error {
        failed("m4a", self.path, &got)
    }

    pub fn unread(&self, what: &str) -> Error {
        other::refused(&format!("MP4 with {what}"), self.path)
    }

    /// The number of `size` bytes at place `at` of a box.
    pub fn number(&self, of: &Range<usize>, at: usize, size: usize) -> Result<u64, Error> {
        let bytes = self.bytes[of.clone()].get(at..at + size);
        let bytes = bytes.ok_or_else(|| self.broken("a box that is too short"))?;
        Ok(bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    /// Kinds and contents of the boxes in a range.
    pub fn within(&self, range: &Range<usize>) -> Result<Vec<Found>, Error> {
        let (mut found, mut at) = (Vec::new(), range.start);
        while at < range.end {
            let here = at..range.end;
            let (mut size, mut head) = (self.number(&here, 0, 4)?, 8);
            let kind = (self.number(&here, 4, 4)? as u32).to_be_bytes();
            if size == 1 {
                (size, head) = (self.number(&here, 8, 8)?, 16);
            } else if size == 0 {
                size = here.len() as u64;
            }
            if size < head {
                return Err(self.broken("a box that is smaller than its head"));
            }
            if size > here.len() as u64 {
                return Err(
                    self.broken(&format!("a box \"{}\" beyond its end", kind.escape_ascii()))
                );
            }
            found.push((kind, at + head as usize..at + size as usize));
            at += size as usize;
        }
        Ok(found)
    }

    pub fn find(
        &self,
        range: &Range<usize>,
        kind: &[u8; 4],
    ) -> Result<Option<Range<usize>>, Error> {
        let found = self.within(range)?.into_iter().find(|(found, _)| found == kind);
        Ok(found.map(|(_, content)| content))
    }

    /// The box that is found by the way through others.
    pub fn inner(&self, range: &Range<usize>, way: &[&[u8; 4]]) -> Result<Range<usize>, Error> {
        way.iter().try_fold(range.clone(), |range, kind| {
            let missing = || self.broken(&format!("no box \"{}\"", kind.escape_ascii()));
            self.find(&range, kind)?.ok_or_else(missing)
        })
    }

    /// Units of a second, as `mvhd` and `mdhd` have them behind two times of four or eight bytes.
    pub fn scale(&self, of: &Range<usize>) -> Result<u64, Error> {
        let at = if self.number(of, 0, 1)? == 0 { 12 } else { 20 };
        self.number(of, at, 4)
    }

    /// The rows of a table behind `head` bytes and their number, as numbers of `size` bytes.
    pub fn rows(&self, of: &Range<usize>, head: usize, size: usize) -> Result<Vec<u64>, Error> {
        let count = self.number(of, head, 4)? as usize;
        let rows = self.bytes[of.clone()][head + 4..].chunks_exact(size);
        if rows.len() < count {
            return Err(self.broken("a table that is too short"));
        }
        Ok(rows
            .take(count)
            .map(|row| row.iter().fold(0, |sum, &b| sum << 8 | u64::from(b)))
            .collect())
    }
}

/// A box without its first `bytes`.
pub(super) fn behind(range: &Range<usize>, bytes: usize) -> Range<usize> {
    (range.start + bytes).min(range.end)..range.end
}
