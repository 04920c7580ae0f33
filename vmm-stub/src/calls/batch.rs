//! Many operations in one call.
//!
//! The array is copied before anything is checked, so the guest's other CPUs cannot change an item between the
//! check and the use. What was found goes back item by item, into that field only; under the typed rules no frame becomes a table
//! meanwhile.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::batch::Item;
use loadphys_rules::{Wish, in_order};

use super::Answer;
use crate::cpu::Cpu;
use crate::physical::{self, Guest};
use crate::rules::with_rules;
use crate::vcpu::Vcpu;

/// Words of an item, and which of them is `found`.
const WORDS: usize = size_of::<Item>() / 8;
const FOUND: usize = core::mem::offset_of!(Item, found) / 8;

/// An item in the guest's memory.
type Place = [AtomicU64; WORDS];

pub(super) fn perform<V: Vcpu>(address: u64, count: u64, cpu: &mut Cpu<V>) -> Answer {
    let items = &mut cpu.items[..count as usize];
    let answer = with_rules!(&cpu.shared.rules, rules => {
        match rules.array(address, count) {
            Ok(at) => {
                let (places, _) = physical::words(at).as_chunks::<WORDS>();
                copy(places, items);
                let perform = |item: &Item| {
                    rules.perform(item.entry, Wish::of_item(item)?, &Guest)
                };
                let (status, value) = in_order(items, perform, |place, found| {
                    places[place][FOUND].store(found, Ordering::Relaxed);
                });
                Answer { status, value }
            }
            Err(status) => Answer::refused(status),
        }
    });
    cpu.counts.batch_items.add(answer.value);
    answer
}

fn copy(places: &[Place], items: &mut [Item]) {
    for (item, place) in items.iter_mut().zip(places) {
        let [entry, action, found, value] =
            place.each_ref().map(|word| word.load(Ordering::Relaxed));
        *item = Item { entry, action, found, value };
    }
}
