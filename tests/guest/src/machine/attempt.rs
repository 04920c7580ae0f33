//! Instructions that may end in #UD or #GP.

use core::arch::naked_asm;

/// What came of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was executed, and gave this if it gives something.
    Done(u64),
    /// The vector of the exception.
    Exception(u64),
}

impl Outcome {
    /// Whether it was executed.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// A number for it, of which the upper half is never set in what is tried here.
    pub const fn number(self) -> u64 {
        match self {
            Self::Done(value) => value,
            Self::Exception(vector) => !vector,
        }
    }

    fn of(value: u64, vector: u64) -> Self {
        if vector == 0 { Self::Done(value) } else { Self::Exception(vector) }
    }
}

impl core::fmt::Display for Outcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Done(value) => write!(f, "{value:#x}"),
            Self::Exception(vector) => write!(f, "#{vector}"),
        }
    }
}

/// An instruction that takes up to two numbers; see [`loadphys_test_guests::traps`] for how it may fault.
macro_rules! attempts {
    ($($(#[$doc:meta])* $name:ident ( $($number:ident),* ) $($line:literal)*;)*) => {
        $($(#[$doc])* pub fn $name($($number: u64),*) -> Outcome {
            #[unsafe(naked)]
            extern "C" fn code(first: u64, vector: &mut u64, second: u64) -> u64 {
                naked_asm!($($line,)* "ret")
            }
            let [first, second] = two([$($number),*]);
            let mut vector = 0;
            let value = code(first, &mut vector, second);
            Outcome::of(value, vector)
        })*
    };
}

fn two<const N: usize>(numbers: [u64; N]) -> [u64; 2] {
    core::array::from_fn(|i| numbers.get(i).copied().unwrap_or(0))
}

attempts! {
    /// RDMSR.
    read_msr(number) "mov ecx, edi" "rdmsr" "shl rdx, 32" "or rax, rdx";
    /// WRMSR.
    write_msr(number, value) "mov ecx, edi" "mov eax, edx" "shr rdx, 32" "wrmsr" "xor eax, eax";
    /// MOV to CR0.
    write_cr0(value) "mov cr0, rdi" "xor eax, eax";
    /// MOV to CR4.
    write_cr4(value) "mov cr4, rdi" "xor eax, eax";
    /// XSETBV.
    set_xcr(number, value) "mov ecx, edi" "mov eax, edx" "shr rdx, 32" "xsetbv" "xor eax, eax";
    /// XGETBV.
    get_xcr(number) "mov ecx, edi" "xgetbv" "shl rdx, 32" "or rax, rdx";
    /// MOV from DR4, which may be DR6.
    read_dr4() "mov rax, dr4";
    /// VMXON.
    vmxon(address) "vmxon [rdi]" "xor eax, eax";
    /// VMRUN.
    vmrun(address) "mov rax, rdi" "vmrun" "xor eax, eax";
    /// RDTSCP: the number of the CPU that the guest has stored.
    read_aux() "rdtscp" "mov eax, ecx";
    /// MONITOR and MWAIT, with a hint.
    monitor_and_wait(address) "mov rax, rdi" "xor ecx, ecx" "xor edx, edx" "monitor" "sti" "xor eax, eax" "mwait" "cli" "xor eax, eax";
}
