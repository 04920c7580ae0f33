//! The record of a table that moves to another frame, and the records that name it.

use super::{Frames, State};
use crate::number::FrameNumber;

impl Frames<'_> {
    /// A table is in another frame now. Of a root, all tables of the space name the new frame; any other
    /// keeps its place in the list of its root, which is walked for it.
    pub(crate) fn move_table(&mut self, from: FrameNumber, to: FrameNumber) {
        let Some(record @ State::Table { root, .. }) = self.record(from) else {
            unreachable!("{from:?} is a table");
        };
        self.set(to, record);
        if root == from {
            self.name_new_root(to);
        } else {
            self.replace_in_list(root, from, to);
        }
        self.set(from, State::Kernel);
    }

    fn name_new_root(&mut self, to: FrameNumber) {
        let mut next = Some(to);
        while let Some(number) = next {
            next = self.older(number);
            if let State::Table { root, .. } = &mut self.records[number.index()].0 {
                *root = to;
            }
        }
    }

    fn replace_in_list(&mut self, root: FrameNumber, from: FrameNumber, to: FrameNumber) {
        let mut newer = root;
        while self.older(newer) != Some(from) {
            let next = self.older(newer);
            newer = next.unwrap_or_else(|| unreachable!("{from:?} is in the list of {root:?}"));
        }
        if let State::Table { older, .. } = &mut self.records[newer.index()].0 {
            *older = Some(to);
        }
    }
}
