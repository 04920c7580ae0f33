//! Capability MSRs, without those that say nothing about controls: those of three emulated CPUs as they were read, and
//! one set that was put together.

/// Numbers and values.
pub type Msrs = &'static [(u32, u64)];

/// Bochs 2.7, `corei7_skylake_x`.
pub const BOCHS_SKYLAKE_X: Msrs = &[
    (0x480, 0x00d8_1000_0000_002b),
    (0x481, 0x0000_007f_0000_0016),
    (0x482, 0xf7f9_fffe_0401_e172),
    (0x483, 0x007f_ffff_0003_6dff),
    (0x484, 0x0000_ffff_0000_11ff),
    (0x485, 0x0000_0000_6004_01e0),
    (0x486, 0x0000_0000_8000_0021),
    (0x487, 0x0000_0000_ffff_ffff),
    (0x488, 0x0000_0000_0000_2000),
    (0x489, 0x0000_0000_0037_27ff),
    (0x48b, 0x0217_7fff_0000_0000),
    (0x48c, 0x0000_0f01_0633_4141),
    (0x48d, 0x0000_007f_0000_0016),
    (0x48e, 0xf7f9_fffe_0400_6172),
    (0x48f, 0x007f_ffff_0003_6dfb),
    (0x490, 0x0000_ffff_0000_11fb),
    (0x491, 0x0000_0000_0000_0001),
];

/// Bochs 2.7, `corei7_haswell_4770`: no PML, no XSAVES.
pub const BOCHS_HASWELL: Msrs = &[
    (0x480, 0x00d8_1000_0000_002b),
    (0x481, 0x0000_007f_0000_0016),
    (0x482, 0xf7f9_fffe_0401_e172),
    (0x483, 0x007f_ffff_0003_6dff),
    (0x484, 0x0000_ffff_0000_11ff),
    (0x485, 0x0000_0000_2004_01e0),
    (0x486, 0x0000_0000_8000_0021),
    (0x487, 0x0000_0000_ffff_ffff),
    (0x488, 0x0000_0000_0000_2000),
    (0x489, 0x0000_0000_0017_27ff),
    (0x48b, 0x0004_7fff_0000_0000),
    (0x48c, 0x0000_0f01_0633_4141),
    (0x48d, 0x0000_007f_0000_0016),
    (0x48e, 0xf7f9_fffe_0400_6172),
    (0x48f, 0x007f_ffff_0003_6dfb),
    (0x490, 0x0000_ffff_0000_11fb),
    (0x491, 0x0000_0000_0000_0001),
];

/// Bochs 2.7, `tigerlake`.
pub const BOCHS_TIGERLAKE: Msrs = &[
    (0x480, 0x01d8_1000_0000_0004),
    (0x481, 0x0000_007f_0000_0016),
    (0x482, 0xfff9_fffe_0401_e172),
    (0x483, 0x107f_ffff_0003_6dff),
    (0x484, 0x0010_ffff_0000_11ff),
    (0x485, 0x0000_0000_6004_01e0),
    (0x486, 0x0000_0000_8000_0021),
    (0x487, 0x0000_0000_ffff_ffff),
    (0x488, 0x0000_0000_0000_2000),
    (0x489, 0x0000_0000_00f7_2fff),
    (0x48b, 0x0297_7fff_0000_0000),
    (0x48c, 0x0000_0f01_06b3_4141),
    (0x48d, 0x0000_007f_0000_0016),
    (0x48e, 0xfff9_fffe_0400_6172),
    (0x48f, 0x107f_ffff_0003_6dfb),
    (0x490, 0x0010_ffff_0000_11fb),
    (0x491, 0x0000_0000_0000_0001),
];

/// Not read but put together: what KVM on a Skylake server offers to a guest that is a hypervisor itself. No
/// uncacheable nested tables, nothing of user wait and pause.
pub const LIKE_NESTED_KVM: Msrs = &[
    (0x480, 0x00d8_1000_11e5_7ed0),
    (0x481, 0x0000_007f_0000_0016),
    (0x482, 0xf7f9_fffe_0401_e172),
    (0x483, 0x007f_efff_0003_6dff),
    (0x484, 0x0000_d3ff_0000_11ff),
    (0x485, 0x0000_0000_2000_0165),
    (0x486, 0x0000_0000_8000_0021),
    (0x487, 0x0000_0000_ffff_ffff),
    (0x488, 0x0000_0000_0000_2000),
    (0x489, 0x0000_0000_0037_27ff),
    (0x48b, 0x0055_3cfe_0000_0000),
    (0x48c, 0x0000_0f01_0633_4041),
    (0x48d, 0x0000_007f_0000_0016),
    (0x48e, 0xf7f9_fffe_0400_6172),
    (0x48f, 0x007f_efff_0003_6dfb),
    (0x490, 0x0000_d3ff_0000_11fb),
    (0x491, 0x0000_0000_0000_0001),
];

/// All of them.
pub const ALL: [Msrs; 4] = [BOCHS_SKYLAKE_X, BOCHS_HASWELL, BOCHS_TIGERLAKE, LIKE_NESTED_KVM];
