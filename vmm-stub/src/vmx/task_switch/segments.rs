//! Loads segment registers in a task switch: which descriptor, and what must be true of it (section "Task Switching", table of
//! checks; section "Interrupt 10 - Invalid TSS Exception (#TS)").

use super::linear::{Exception, Linear, Memory};
use super::tss::Format;
use super::{LDTR, State};
use crate::reset::Segment;

/// Access rights (section "Guest Register State"): cannot be used; 32-bit code over all addresses.
pub const UNUSABLE: u64 = 1 << 16;
pub const FLAT_CODE: u64 = 0xc09b;

/// In virtual-8086 mode: data, writable, touched, level 3, present.
const RIGHTS_8086: u64 = 0xf3;

/// Bits of the access rights.
const TOUCHED: u64 = 1 << 0;
const BUSY: u64 = 1 << 1;
const WRITABLE_OR_READABLE: u64 = 1 << 1;
const CONFORMING_OR_DOWN: u64 = 1 << 2;
const CODE: u64 = 1 << 3;
const CODE_OR_DATA: u64 = 1 << 4;
const LEVEL: u64 = 0b11 << 5;
const PRESENT: u64 = 1 << 7;
const BIG: u64 = 1 << 14;
const PAGES: u64 = 1 << 15;

/// Types of system segments.
const LDT: u64 = 2;
const KIND: u64 = 0x1f;

/// A segment in virtual-8086 mode.
pub const fn virtual_8086(selector: u16) -> Segment {
    let selector = selector as u64;
    Segment { selector, base: selector << 4, limit: 0xffff, rights: RIGHTS_8086 }
}

/// What a descriptor says (section "Segment Descriptors").
const fn segment(selector: u16, descriptor: u64) -> Segment {
    let rights = descriptor >> 40 & 0xf0ff;
    let limit = descriptor & 0xffff | descriptor >> 32 & 0xf_0000;
    Segment {
        selector: selector as u64,
        base: descriptor >> 16 & 0xff_ffff | descriptor >> 32 & 0xff00_0000,
        limit: if rights & PAGES != 0 { limit << 12 | 0xfff } else { limit },
        rights,
    }
}

const fn level(rights: u64) -> u16 {
    ((rights & LEVEL) >> 5) as u16
}

const fn is_null(selector: u16) -> bool {
    selector & !3 == 0
}

const fn unusable(selector: u16) -> Segment {
    Segment { selector: selector as u64, base: 0, limit: 0, rights: UNUSABLE }
}

/// The descriptor tables.
pub struct Descriptors {
    gdt: (u32, u32),
    ldt: Segment,
}

impl Descriptors {
    /// Those in use.
    pub const fn of(state: &State) -> Self {
        Self { gdt: state.gdt, ldt: state.segments[LDTR] }
    }

    /// Where a descriptor is.
    fn place(&self, selector: u16) -> Result<u32, Exception> {
        const LOCAL: u16 = 1 << 2;
        let (base, limit) = match selector & LOCAL != 0 {
            false => self.gdt,
            true if self.ldt.rights & UNUSABLE == 0 => {
                (self.ldt.base as u32, self.ldt.limit as u32)
            }
            true => return Err(Exception::task(selector)),
        };
        let inside = u32::from(selector | 7) <= limit;
        inside.then(|| base.wrapping_add(u32::from(selector & !7))).ok_or(Exception::task(selector))
    }

    fn read(&self, selector: u16, linear: &Linear<'_, impl Memory>) -> Result<Segment, Exception> {
        Ok(segment(selector, linear.read(self.place(selector)?, 8)?))
    }

    /// The TSS of the new task, which is busy when it runs. (The CPU has looked at it already.)
    pub fn task(
        &self,
        selector: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        let tss = self.read(selector, linear)?;
        let is_tss = matches!(tss.rights & (KIND & !BUSY), 1 | 9) && tss.rights & PRESENT != 0;
        let fits = tss.limit >= u64::from(Format::of(tss.rights).bytes() - 1);
        let busy = Segment { rights: tss.rights | BUSY, ..tss };
        (is_tss && fits).then_some(busy).ok_or(Exception::task(selector))
    }

    /// Whether a TSS can be marked as busy.
    pub fn check_busy(
        &self,
        selector: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<(), Exception> {
        linear.reach(self.place(selector)?.wrapping_add(5), 1, true)
    }

    /// Marks a TSS as busy, or not.
    pub fn mark_busy(
        &self,
        selector: u16,
        busy: bool,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<(), Exception> {
        let bits = if busy { BUSY } else { 0 };
        linear.change(self.place(selector)?.wrapping_add(5), BUSY, bits)
    }

    /// The LDT, whose descriptor is in the GDT: no other one is loaded yet.
    pub fn local(
        &self,
        selector: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        if is_null(selector) {
            return Ok(unusable(selector));
        }
        let ldt = self.read(selector, linear)?;
        let good = ldt.rights & KIND == LDT && ldt.rights & PRESENT != 0;
        good.then_some(ldt).ok_or(Exception::task(selector))
    }

    /// CS, whose selector says the privilege level.
    pub fn code(
        &self,
        selector: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        let code = self.not_null(selector, linear)?;
        let (own, wanted) = (level(code.rights), selector & 3);
        let conforms = code.rights & CONFORMING_OR_DOWN != 0;
        let level_is_good = if conforms { own <= wanted } else { own == wanted };
        let good = code.rights & (CODE_OR_DATA | CODE) == CODE_OR_DATA | CODE && level_is_good;
        self.touched(good, code, Exception::not_present(selector), linear)
    }

    /// SS.
    pub fn stack(
        &self,
        selector: u16,
        wanted: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        const STACK: u64 = CODE_OR_DATA | WRITABLE_OR_READABLE;
        let stack = self.not_null(selector, linear)?;
        let good = stack.rights & (STACK | CODE) == STACK
            && level(stack.rights) == wanted
            && selector & 3 == wanted;
        self.touched(good, stack, Exception::stack(selector), linear)
    }

    /// DS, ES, FS or GS.
    pub fn data(
        &self,
        selector: u16,
        wanted: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        if is_null(selector) {
            return Ok(unusable(selector));
        }
        let data = self.read(selector, linear)?;
        let code = data.rights & CODE != 0;
        let readable = !code || data.rights & WRITABLE_OR_READABLE != 0;
        let conforms = code && data.rights & CONFORMING_OR_DOWN != 0;
        let level_is_good = conforms || level(data.rights) >= wanted.max(selector & 3);
        let good = data.rights & CODE_OR_DATA != 0 && readable && level_is_good;
        self.touched(good, data, Exception::not_present(selector), linear)
    }

    fn not_null(
        &self,
        selector: u16,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        if is_null(selector) {
            return Err(Exception::task(selector));
        }
        self.read(selector, linear)
    }

    /// The segment, if it is good and present, and marked as touched.
    fn touched(
        &self,
        good: bool,
        segment: Segment,
        absent: Exception,
        linear: &Linear<'_, impl Memory>,
    ) -> Result<Segment, Exception> {
        let selector = segment.selector as u16;
        if !good {
            return Err(Exception::task(selector));
        }
        if segment.rights & PRESENT == 0 {
            return Err(absent);
        }
        if segment.rights & TOUCHED == 0 {
            linear.change(self.place(selector)?.wrapping_add(5), TOUCHED, TOUCHED)?;
        }
        Ok(Segment { rights: segment.rights | TOUCHED, ..segment })
    }
}

/// ESP after a push of so many bytes, and the address of what is pushed.
///
/// # Errors
/// #SS(0) where the stack ends.
pub const fn below(stack: Segment, esp: u32, bytes: u32) -> Result<(u32, u32), Exception> {
    let big = stack.rights & BIG != 0;
    let ones = if big { u32::MAX } else { 0xffff };
    let offset = esp.wrapping_sub(bytes) & ones;
    let last = offset as u64 + bytes as u64 - 1;
    let inside = if stack.rights & CONFORMING_OR_DOWN != 0 {
        offset as u64 > stack.limit && last <= ones as u64
    } else {
        last <= stack.limit
    };
    if !inside {
        return Err(Exception::stack(0));
    }
    Ok((esp & !ones | offset, (stack.base as u32).wrapping_add(offset)))
}
