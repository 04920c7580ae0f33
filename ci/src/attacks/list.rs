//! All of them, by the advisory or the manual that made them known.

use super::{Answer, Attack, Broken, Suite, Test};

const BUILD: Suite = Suite::Lib("xtask");
const GATE: Suite = Suite::File("loadphys-tests", "gate");
const STUB: Suite = Suite::Lib("loadphys-stub");
const RECLAIM: Suite = Suite::Lib("page-reclaim");
const INTERLEAVED: Suite = Suite::File("loadphys-tests", "interleaved");
const RACES: Suite = Suite::File("loadphys-tests", "races");
const SLOTS: Suite = Suite::File("loadphys-tests", "slots");
const SUSPICION: Suite = Suite::File("loadphys-tests", "suspicion");
const GLOBAL: Suite = Suite::File("loadphys-tests", "global_pages");
const METHODS: Suite = Suite::File("loadphys-tests", "methods");
const CHECKED: Suite = Suite::File("loadphys-tests", "typed");
const VIEWS: Suite = Suite::File("loadphys-tests", "views");
const SPACE: Suite = Suite::File("foreign-access", "space");
const UNIVERSE: Suite = Suite::Rules("small_universe");
const STATES: Suite = Suite::Rules("exhaustive");
const TYPED: Suite = Suite::Rules("typed");

/// With a broken twin in the tests themselves.
const fn inside(number: usize, title: &'static str, right: &'static [Test]) -> Attack {
    Attack { number, title, answer: Answer::Tested { right, broken: Broken::Inside } }
}

/// With tests of something that is broken on purpose.
const fn against(
    number: usize,
    title: &'static str,
    right: &'static [Test],
    broken: &'static [Test],
) -> Attack {
    Attack { number, title, answer: Answer::Tested { right, broken: Broken::By(broken) } }
}

const fn impossible(number: usize, title: &'static str, why: &'static str) -> Attack {
    Attack { number, title, answer: Answer::CannotApply(why) }
}

/// In order of number.
pub const ALL: [Attack; 33] = [
    against(
        1,
        "large-page bit in an upper entry maps over tables (XSA-148)",
        &[
            Test(TYPED, "bits::present_entries_have_no_bit_that_is_not_on_the_list"),
            Test(STATES, "no_call_breaks_an_invariant_of_the_deep_machine"),
        ],
        &[Test(STATES, "every_twin_is_found_out")],
    ),
    against(
        2,
        "only the writable bit changes, of what maps a table (XSA-182)",
        &[
            Test(TYPED, "bits::a_table_is_mapped_read_only_or_not_at_all"),
            Test(STATES, "no_call_breaks_an_invariant_of_the_deep_machine"),
        ],
        &[Test(STATES, "every_twin_is_found_out")],
    ),
    against(
        3,
        "a self map at any level and index (XSA-185)",
        &[Test(STATES, "no_call_breaks_an_invariant_of_the_deep_machine")],
        &[Test(STATES, "every_twin_is_found_out")],
    ),
    against(
        4,
        "chains of foreign slots, recursion on tear-down (XSA-240)",
        &[
            Test(SLOTS, "slots_lead_one_root_deep"),
            Test(SPACE, "clean_up::tables_are_not_found_by_way_of_the_root_itself"),
        ],
        &[Test(SLOTS, "a_kernel_that_does_not_let_go_makes_a_chain")],
    ),
    against(
        5,
        "an upper entry changed, a stale view of the table (XSA-286)",
        &[
            Test(
                GLOBAL,
                "a_large_global_page_in_place_of_a_table_is_not_taken_for_that_of_another_space",
            ),
            Test(GATE, "more_spaces_than_views_are_reached_in_turn"),
        ],
        &[Test(GATE, "a_stub_that_recycles_without_invept_shows_another_space")],
    ),
    against(
        6,
        "a type taken after the flush (XSA-401)",
        &[
            Test(CHECKED, "the_type_first_then_the_flush_then_the_use"),
            Test(RACES, "an_evicted_frame_is_free_only_after_the_flush"),
        ],
        &[
            Test(CHECKED, "a_flush_before_the_type_lets_a_forged_entry_in"),
            Test(
                Suite::BrokenModel("broken-flush-before-edit", "races"),
                "an_evicted_frame_is_free_only_after_the_flush",
            ),
        ],
    ),
    against(
        7,
        "the flush clock ticks after the flush (XSA-408, 241)",
        &[Test(Suite::Loom, "nothing_stale_is_used")],
        &[Test(Suite::Loom, "every_twin_is_found_broken")],
    ),
    inside(
        8,
        "no-flush CR3 keeps a dead root's entries (XSA-292, 294)",
        &[
            Test(RACES, "a_new_space_finds_nothing_of_the_one_before_it"),
            Test(
                RECLAIM,
                "shootdown::pcids::tests::a_new_space_inherits_nothing_under_a_root_and_a_pcid_that_were_used_before",
            ),
        ],
    ),
    inside(
        9,
        "an address that is not canonical faults the flusher (XSA-279)",
        &[
            Test(RECLAIM, "shootdown::requests::tests::every_page_comes_out_as_it_went_in"),
            Test(
                RECLAIM,
                "shootdown::requests::tests::an_address_that_is_not_canonical_gets_nowhere",
            ),
        ],
    ),
    against(
        10,
        "a frame reused before the deferred flush (XSA-346)",
        &[Test(Suite::Loom, "nothing_stale_is_used")],
        &[Test(
            Suite::BrokenModel("broken-free-before-flush", "broken"),
            "programs_reach_frames_that_were_freed",
        )],
    ),
    impossible(
        11,
        "a live nested entry written in two halves (XSA-328)",
        "nested entries that change are AtomicU64 and stored whole, and there is no other way to them",
    ),
    against(
        12,
        "an error path leaves the wrong tables loaded (XSA-494)",
        &[Test(METHODS, "stops::a_stopped_batch_leaves_root_interrupts_and_window_as_they_were")],
        &[
            Test(METHODS, "stops::a_batch_that_leaves_the_other_root_loaded_is_noticed"),
            Test(INTERLEAVED, "an_interrupted_space_switch_edits_another_space"),
        ],
    ),
    against(
        13,
        "a call on the root of a dead process (XSA-109)",
        &[Test(TYPED, "unmapping::addresses_are_checked")],
        &[Test(TYPED, "twins::only_the_twin_walks_from_a_dead_root")],
    ),
    against(
        14,
        "a batch that wraps, is unaligned, spans the stub, changes meanwhile (XSA-212)",
        &[
            Test(UNIVERSE, "arrays_lie_in_plain_memory"),
            Test(Suite::Boot, "vmx/bad-calls"),
            Test(Suite::Boot, "vmx/hostile-1-tables"),
        ],
        &[Test(TYPED, "twins::only_the_twin_takes_an_array_that_wraps")],
    ),
    against(
        15,
        "a batch goes on after a refusal (XSA-213)",
        &[Test(Suite::Boot, "vmx/bad-calls")],
        &[Test(TYPED, "twins::only_the_twin_goes_on_behind_a_refusal")],
    ),
    against(
        16,
        "a frame goes table, data, table and keeps its mark (XSA-214)",
        &[
            Test(UNIVERSE, "releasing_changes_one_frame_or_nothing"),
            Test(GATE, "a_released_table_is_not_in_the_gates_view_on_any_cpu"),
            Test(STATES, "no_call_breaks_an_invariant_of_the_deep_machine"),
        ],
        &[Test(STATES, "every_twin_is_found_out")],
    ),
    against(
        17,
        "VMFUNC with a bad leaf or index, from ring 3, from 32-bit code",
        &[
            Test(STUB, "views::answers::tests::one_switch_is_the_way_back_and_no_other"),
            Test(Suite::Boot, "vmx/cpus"),
        ],
        &[Test(Suite::Boot, "vmx/cpus-broken-vmfunc")],
    ),
    against(
        18,
        "VMFUNC bytes elsewhere in the image",
        &[
            Test(BUILD, "build::vmfunc::tests::what_is_spelt_outside_of_the_gate_is_found"),
            Test(Suite::Boot, "vmx/cpus"),
        ],
        &[Test(Suite::Boot, "vmx/cpus-broken-executable-views")],
    ),
    against(
        19,
        "read-only table frames against Accessed and Dirty",
        &[Test(CHECKED, "the_stub_sets_for_the_walker_what_it_cannot")],
        &[Test(CHECKED, "a_stub_that_leaves_flags_stops_every_first_access")],
    ),
    against(
        20,
        "INVEPT left out, or with the wrong operand",
        &[
            Test(STUB, "stale::tests::no_cpu_uses_what_was_withdrawn_and_none_waits_for_ever"),
            Test(VIEWS, "a_released_table_is_in_no_alias_on_any_cpu"),
        ],
        &[
            Test(STUB, "stale::tests::each_twin_is_caught"),
            Test(VIEWS, "a_stub_that_forgets_invept_lets_a_cpu_reach_a_freed_frame"),
            Test(Suite::Boot, "vmx/broken-invept-type"),
        ],
    ),
    against(
        21,
        "the walker sets Dirty while software clears",
        &[Test(RACES, "an_evicted_page_that_was_written_meanwhile_is_written_to_its_slot")],
        &[Test(
            Suite::BrokenModel("broken-load-then-store", "races"),
            "an_evicted_page_that_was_written_meanwhile_is_written_to_its_slot",
        )],
    ),
    against(
        22,
        "a dirty entry is flushed after its page was written",
        &[Test(RACES, "an_evicted_page_is_written_to_its_slot_only_after_the_flush")],
        &[Test(
            Suite::BrokenModel("broken-write-before-flush", "races"),
            "an_evicted_page_is_written_to_its_slot_only_after_the_flush",
        )],
    ),
    against(
        23,
        "L1TF: a not-present entry names memory",
        &[
            Test(RECLAIM, "swap_entry::tests::no_swap_entry_is_present_or_large_or_names_memory"),
            Test(TYPED, "bits::absent_entries_name_no_memory"),
        ],
        &[Test(STATES, "every_twin_is_found_out")],
    ),
    inside(
        24,
        "hardware sets Accessed or Dirty in a not-present entry",
        &[
            Test(
                RECLAIM,
                "swap_entry::tests::an_entry_leads_back_to_its_slot_whatever_accessed_and_dirty_say",
            ),
            Test(SUSPICION, "what_hardware_may_set_in_an_entry_that_is_not_present_does_no_harm"),
        ],
    ),
    impossible(
        25,
        "a page size changes while it is live (machine check)",
        "no nested page changes its size while a guest runs: where rights change, tables of level 1 stand from the start",
    ),
    inside(
        26,
        "INVLPG leaves global entries",
        &[Test(GLOBAL, "methods_through_slots_need_an_invlpg_that_drops_global_translations")],
    ),
    inside(
        27,
        "a window used again by another CPU",
        &[Test(INTERLEAVED, "cpus_that_share_a_slot_or_window_are_caught")],
    ),
    against(
        28,
        "a foreign slot in user tables, or filled again after it was let go",
        &[
            Test(SLOTS, "programs_do_not_reach_what_slots_lend"),
            Test(SLOTS, "slots_lead_one_root_deep"),
        ],
        &[Test(SLOTS, "a_kernel_that_does_not_let_go_makes_a_chain")],
    ),
    against(
        29,
        "the entry no longer holds the expected frame",
        &[
            Test(TYPED, "unmapping::another_frame_is_told_and_stays"),
            Test(SUSPICION, "an_entry_that_names_another_frame_is_left_as_it_is"),
        ],
        &[Test(TYPED, "twins::only_the_twin_unmaps_another_frame")],
    ),
    against(
        30,
        "a physical store to code, stub, nested tables, devices",
        &[
            Test(UNIVERSE, "entries_are_those_of_registered_tables"),
            Test(STUB, "nested::layout::tests::no_entry_leads_into_the_stub"),
            Test(Suite::Boot, "vmx/hostile-1-tables"),
        ],
        &[Test(TYPED, "twins::only_the_twin_finds_entries_in_plain_memory")],
    ),
    against(
        31,
        "paging off with PCIDs, above 4 GiB, with an NMI",
        &[
            Test(
                METHODS,
                "stops::paging_off_refuses_what_lies_above_4_gib_after_it_did_what_came_before",
            ),
            Test(Suite::Boot, "vmx/compare-all"),
        ],
        &[Test(Suite::Boot, "bare/broken-keep-pcids")],
    ),
    against(
        32,
        "an interrupt or NMI in a view, a foreign root, a held window",
        &[
            Test(
                STUB,
                "views::answers::tests::an_nmi_waits_in_every_other_view_whatever_else_there_is",
            ),
            Test(Suite::Boot, "vmx/cpus"),
        ],
        &[
            Test(Suite::Boot, "vmx/cpus-broken-nmi-in-view"),
            Test(
                INTERLEAVED,
                "cpus_that_do_not_mask_interrupts_are_caught_under_the_methods_that_do",
            ),
        ],
    ),
    inside(
        33,
        "a recursive walk reads PS as PAT and bit 8 as Global",
        &[
            Test(GLOBAL, "a_walk_that_goes_down_through_a_large_page_is_caught"),
            Test(GLOBAL, "a_walk_through_the_self_slot_reads_bit_8_of_an_upper_entry_as_global"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::super::{Answer, Broken};
    use super::ALL;

    #[test]
    fn every_attack_is_there_once_and_none_is_silent() {
        assert!(ALL.iter().map(|attack| attack.number).eq(1..=33));
        for attack in ALL {
            let answered = match attack.answer {
                Answer::Tested { right, broken: Broken::Inside } => !right.is_empty(),
                Answer::Tested { right, broken: Broken::By(broken) } => {
                    !right.is_empty() && !broken.is_empty()
                }
                Answer::CannotApply(why) => !why.is_empty(),
            };
            assert!(answered, "attack {}", attack.number);
        }
    }
}
