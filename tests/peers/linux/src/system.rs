//! System calls of Linux on x86-64: the number goes in RAX, arguments in RDI, RSI, RDX, R10, R8, R9, the answer comes in RAX,
//! a negative one is an error (System V ABI for x86-64, appendix A.2.1).
#![expect(unsafe_code, reason = "system calls")]

use core::arch::asm;

use crate::failure::Failure;

/// The calls that are used, by number (Linux's `arch/x86/entry/syscalls/syscall_64.tbl`).
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub enum Call {
    /// Reads from a file.
    Read = 0,
    /// Writes to a file.
    Write = 1,
    /// Opens a file.
    Open = 2,
    /// Closes a file.
    Close = 3,
    /// Maps memory.
    Mmap = 9,
    /// Waits.
    Nanosleep = 35,
    /// Has the disk keep what was written.
    Fsync = 74,
    /// Unmaps it.
    Munmap = 11,
    /// Asks a device.
    Ioctl = 16,
    /// Reads from a place in a file.
    Pread = 17,
    /// Writes to a place in a file.
    Pwrite = 18,
    /// Makes a pipe.
    Pipe = 22,
    /// Gives advice on memory.
    Madvise = 28,
    /// Makes a copy of this process.
    Fork = 57,
    /// Ends this process.
    Exit = 60,
    /// Waits for the end of a child.
    Wait = 61,
    /// Makes a directory.
    Mkdir = 83,
    /// Keeps some memory from being evicted.
    Mlock = 149,
    /// Keeps all memory from being evicted.
    Mlockall = 151,
    /// Mounts a file system.
    Mount = 165,
    /// Adds a swap area.
    Swapon = 167,
    /// Ends the machine.
    Reboot = 169,
    /// Says on which CPUs this process may run.
    SchedSetaffinity = 203,
    /// Says on which it does.
    Getcpu = 309,
    /// Loads a module.
    FinitModule = 313,
}

/// Makes a system call; `what` is for people, should it fail.
///
/// # Safety
/// Where arguments are addresses, what is there must be what the call takes, and must be the caller's to read and write.
pub unsafe fn call<const N: usize>(
    call: Call,
    arguments: [usize; N],
    what: &str,
) -> Result<usize, Failure> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    // SAFETY: the caller's promise.
    let answer = unsafe { raw(call, all) };
    usize::try_from(answer).map_err(|_| Failure::new(format_args!("{what}: error {}", -answer)))
}

unsafe fn raw(call: Call, arguments: [usize; 6]) -> isize {
    let [first, second, third, fourth, fifth, sixth] = arguments;
    let answer;
    // SAFETY: the kernel keeps all registers but these; memory is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") call as usize => answer, in("rdi") first, in("rsi") second, in("rdx") third,
            in("r10") fourth, in("r8") fifth, in("r9") sixth, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer
}

/// Ends this process.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: the call takes no address, and does not come back.
        let _ = unsafe { call(Call::Exit, [code.into()], "exit") };
    }
}

/// Turns the machine off (`reboot(2)`).
pub fn power_off() -> ! {
    const MAGIC: [usize; 2] = [0xfee1_dead, 672_274_793];
    const POWER_OFF: usize = 0x4321_fedc;
    // SAFETY: the call takes no address.
    let _ = unsafe { call(Call::Reboot, [MAGIC[0], MAGIC[1], POWER_OFF], "power off") };
    exit(1)
}

/// Keeps what this process has now in memory, so that only pages that are to be evicted are (`mlockall(2)`).
pub fn stay_in_memory() -> Result<(), Failure> {
    const CURRENT: usize = 1;
    // SAFETY: the call takes no address.
    unsafe { call(Call::Mlockall, [CURRENT], "mlockall") }.map(drop)
}

/// Waits so many milliseconds (`nanosleep(2)`).
pub fn sleep(milliseconds: usize) -> Result<(), Failure> {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    // SAFETY: the time is only read; what would be left of it is not asked for.
    unsafe { call(Call::Nanosleep, [time.as_ptr().addr(), 0], "nanosleep") }.map(drop)
}

/// Bytes of a set of CPUs.
const CPU_SET: usize = 8;

/// Lets this process run on this CPU alone, of the first 64 (`sched_setaffinity(2)`), and gives the one on which it does.
pub fn run_on(cpu: u32) -> Result<u32, Failure> {
    let (set, mut now) = (1_u64 << cpu, u32::MAX);
    // SAFETY: the set is only read.
    unsafe {
        call(Call::SchedSetaffinity, [0, CPU_SET, (&raw const set).addr()], "sched_setaffinity")
    }?;
    // SAFETY: the number is ours to be written.
    unsafe { call(Call::Getcpu, [(&raw mut now).addr(), 0, 0], "getcpu") }?;
    Ok(now)
}

/// Memory of its own for this process, in words (`mmap(2)`); the kernel gives it when it is touched.
pub fn memory(words: usize) -> Result<&'static mut [u64], Failure> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22;
    let arguments = [0, words * 8, READ_WRITE, PRIVATE_ANONYMOUS, usize::MAX, 0];
    // SAFETY: the kernel chooses a place where nothing is.
    let at = unsafe { call(Call::Mmap, arguments, "mmap") }?;
    // SAFETY: so many bytes of zeros begin there, at a page, and are nobody else's.
    Ok(unsafe { core::slice::from_raw_parts_mut(at as *mut u64, words) })
}
