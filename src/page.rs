//! Which part of a list is told.
//!
//! Apart from what lists are of. What it leaves out is counted by whoever makes the list, and never read for nothing.

/// A part of a list; all of it unless told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// So many are left out first.
    pub skip: usize,
    /// At most so many come.
    pub limit: Option<usize>,
}

impl Page {
    /// That part.
    pub(crate) fn of<T>(self, list: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
        list.into_iter().skip(self.skip).take(self.limit.unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_lies_between_its_ends() {
        for (skip, limit, wanted) in [
            (0, None, vec![1, 2, 3]),
            (1, Some(1), vec![2]),
            (2, Some(9), vec![3]),
            (0, Some(0), vec![]),
            (9, None, vec![]),
            (usize::MAX, Some(usize::MAX), vec![]),
        ] {
            let told: Vec<i32> = Page { skip, limit }.of([1, 2, 3]).collect();
            assert_eq!(told, wanted, "{skip} {limit:?}");
        }
    }
}
