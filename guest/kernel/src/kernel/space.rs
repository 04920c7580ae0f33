//! An address space: a root, and what may be at which address.

use heapless::Vec;
use loadphys_apps::places::{CODE, PAGE, PRIVATE, SHARED, STACK_PAGES, STACK_TOP};
use page_reclaim::shootdown::Identity;
use page_reclaim::{Backing, Rights, Share};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::tlb::new_identity;

/// A run of pages.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u64,
    pages: u64,
    rights: Rights,
    /// The first of its shared pages; `None` for a program's own.
    share: Option<u32>,
}

/// How many pages of which kind a space has, and where the shared ones' records are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Pages of the shared segment; their records begin at 0.
    pub shared: u32,
    /// Pages of code.
    pub code: u32,
    /// Where their records begin.
    pub code_share: u32,
    /// Pages of its own.
    pub private: u64,
}

/// An address space.
#[derive(Debug)]
pub struct Space {
    /// Its root.
    pub root: PhysFrame,
    /// What the TLB knows it by.
    pub identity: Identity,
    regions: Vec<Region, REGIONS>,
}

const REGIONS: usize = 4;

impl Space {
    /// With this root.
    pub fn new(root: PhysFrame, shape: Shape) -> Self {
        let stack = STACK_TOP - STACK_PAGES * PAGE;
        let data = Rights::DATA;
        let regions = Vec::from_array([
            Region {
                start: CODE,
                pages: shape.code.into(),
                rights: Rights::CODE,
                share: Some(shape.code_share),
            },
            Region { start: SHARED, pages: shape.shared.into(), rights: data, share: Some(0) },
            Region { start: PRIVATE, pages: shape.private, rights: data, share: None },
            Region { start: stack, pages: STACK_PAGES, rights: data, share: None },
        ]);
        Self { root, identity: new_identity(), regions }
    }

    /// The same addresses for another program, with this root: shared pages are the same, others are its own.
    pub fn copy(&self, root: PhysFrame) -> Self {
        Self { root, identity: new_identity(), regions: self.regions.clone() }
    }

    /// All pages that can be there.
    pub fn pages(&self) -> impl Iterator<Item = VirtAddr> + use<> {
        self.regions.clone().into_iter().flat_map(Region::pages)
    }

    /// The pages that no other space has.
    pub fn own_pages(&self) -> impl Iterator<Item = VirtAddr> + use<> {
        let own = self.regions.clone().into_iter().filter(|region| region.share.is_none());
        own.flat_map(Region::pages)
    }

    /// What belongs at an address, and with which rights.
    pub fn at(&self, address: VirtAddr) -> Option<(Backing, Rights)> {
        self.regions.iter().find_map(|region| region.at(address.as_u64()))
    }
}

impl Region {
    fn pages(self) -> impl Iterator<Item = VirtAddr> {
        (0..self.pages).map(move |page| VirtAddr::new(self.start + page * PAGE))
    }

    fn at(&self, address: u64) -> Option<(Backing, Rights)> {
        let page = address.checked_sub(self.start)? / PAGE;
        let backing = match self.share {
            _ if page >= self.pages => return None,
            Some(first) => Backing::Shared(Share::new(first + page as u32)),
            None => Backing::Private,
        };
        Some((backing, self.rights))
    }
}
