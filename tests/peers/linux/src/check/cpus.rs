//! Every CPU does the same work and must come to the same sum.
#![expect(
    unsafe_code,
    reason = "floating-point instructions, for which the target has no registers"
)]

use core::arch::asm;

use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::get;
use loadphys_peer_linux::{cpu_list, report, system};

/// Steps of the work.
const STEPS: u64 = 1 << 20;

/// Runs on one CPU after the other; says how many there are, and the sum.
pub fn check() -> Result<(), Failure> {
    let mut room = [0; 256];
    let online = get(c"/sys/devices/system/cpu/online", &mut room)?;
    let (mut cpus, mut sum) = (0, None);
    for cpu in cpu_list::numbers(online) {
        let found = work_on(cpu)?;
        if sum.is_some_and(|sum| sum != found) {
            return Err(Failure::new(format_args!("CPU {cpu} came to the sum {found:#x}")));
        }
        sum = Some(found);
        cpus += 1;
    }
    report::count("cpus", cpus);
    report::count("cpu-sum", sum.unwrap_or(0));
    Ok(())
}

fn work_on(cpu: u32) -> Result<u64, Failure> {
    match system::run_on(cpu)? {
        now if now == cpu => Ok(work()),
        now => Err(Failure::new(format_args!("on CPU {now} instead of {cpu}"))),
    }
}

/// Integer and floating-point work that depends on each step before. Registers for the latter keep their values from step to
/// step, whoever uses the CPU in between.
fn work() -> u64 {
    const THREE_QUARTERS: u64 = 0x3fe8_0000_0000_0000;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // SAFETY: nobody else here uses these registers.
    unsafe { asm!("movq xmm0, {0}", "movq xmm1, {0}", in(reg) THREE_QUARTERS, options(nostack)) };
    for step in 1..=STEPS {
        state = (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(step);
        // SAFETY: as above.
        unsafe {
            asm!("mulsd xmm0, xmm1", "cvtsi2sd xmm2, {0}", "addsd xmm0, xmm2", in(reg) state >> 40, options(nostack));
        }
    }
    let real: u64;
    // SAFETY: as above.
    unsafe { asm!("movq {0}, xmm0", out(reg) real, options(nostack)) };
    state ^ real
}
