//! The protocol on a model of a controller with one drive, which refuses what the standard does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::identity::WORDS;
use super::registers::{
    ACTIVE, BUS_ERROR, BUSY, DATA_REQUEST, ERROR, INTERRUPT, NO_INTERRUPTS, SOFTWARE_RESET, START,
    TO_MEMORY, commands,
};
use super::{Absent, Drive, Register, Registers, Unit};
use crate::device::{Clock, Device, Direction, Fault, Request, Token};
use crate::{PAGE_BYTES, SECTORS_PER_PAGE};

const SECTORS: u32 = 1 << 20;

/// Ready.
const READY: u8 = 1 << 6;

#[derive(Default)]
struct Model {
    registers: HashMap<Register, u8>,
    status: u8,
    bus_status: u8,
    descriptors: Vec<u64>,
    data: Vec<u16>,
    /// Direction, first sector, sectors, memory: as carried out.
    done: Vec<(Direction, u32, u32, Vec<u64>)>,
    command: Option<u8>,
    /// Reads of the status until the command is carried out.
    left: u32,
    fails: bool,
    packet: bool,
    stuck: bool,
    resets: u32,
    now: u64,
}

#[derive(Clone)]
struct Channel(Rc<RefCell<Model>>);

impl Channel {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(Model { status: READY, ..Model::default() })))
    }

    fn drive(&self) -> Drive<Self> {
        Drive::find(self.clone(), Unit::Master, &mut self.clone(), 10).expect("a drive")
    }
}

impl Model {
    fn at(&self, register: Register) -> u32 {
        self.registers.get(&register).copied().unwrap_or(0).into()
    }

    fn begin(&mut self, command: u8) {
        assert_eq!(self.status & (BUSY | DATA_REQUEST), 0, "a command to a drive that is at one");
        (self.command, self.left, self.status) = (Some(command), 20, BUSY);
    }

    fn step(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 && !self.stuck {
            match self.command.take() {
                Some(commands::IDENTIFY) if self.packet => self.status = READY | ERROR,
                Some(commands::IDENTIFY) => self.identify(),
                Some(command) => self.transfer(command),
                None => {}
            }
        }
    }

    fn identify(&mut self) {
        let mut words = [0; WORDS];
        words[27..31].copy_from_slice(&[0x4d6f, 0x6465, 0x6c20, 0x3120]);
        words[31..47].fill(0x2020);
        words[49] = 1 << 8 | 1 << 9;
        [words[60], words[61]] = [SECTORS as u16, (SECTORS >> 16) as u16];
        self.data = words.iter().rev().copied().collect();
        self.status = READY | DATA_REQUEST;
    }

    fn transfer(&mut self, command: u8) {
        let way = self.at(Register::BusMasterCommand) as u8;
        let direction = match command {
            commands::READ_DMA => Direction::In,
            commands::WRITE_DMA => Direction::Out,
            other => panic!("command {other:#x}"),
        };
        assert_eq!(way & START, START, "the controller was not started");
        assert_eq!(way & TO_MEMORY != 0, direction == Direction::In, "the wrong way");
        let count = match self.at(Register::SectorCount) {
            0 => 256,
            count => count,
        };
        let bytes: u64 = self.descriptors.iter().map(|it| it >> 32 & 0xffff).sum();
        assert_eq!(bytes, u64::from(count) * 512, "descriptors for as much as the command moves");
        let ends: Vec<bool> = self.descriptors.iter().map(|it| it >> 63 == 1).collect();
        let end = ends.iter().position(|ends| *ends);
        assert_eq!(end, Some(ends.len() - 1), "the last descriptor ends the table");
        let lba = self.at(Register::LbaLow) | self.at(Register::LbaMiddle) << 8;
        let lba = lba | self.at(Register::LbaHigh) << 16 | (self.at(Register::Device) & 0xf) << 24;
        let memory = self.descriptors.iter().map(|it| it & 0xffff_ffff).collect();
        self.done.push((direction, lba, count, memory));
        self.bus_status = self.bus_status & !ACTIVE | INTERRUPT;
        self.status = if self.fails { READY | ERROR } else { READY };
    }
}

impl Registers for Channel {
    fn read(&mut self, register: Register) -> u8 {
        let mut model = self.0.borrow_mut();
        match register {
            Register::Control | Register::Command => {
                model.step();
                // Of a second drive there is none.
                if model.at(Register::Device) & 0x10 != 0 { 0 } else { model.status }
            }
            Register::BusMasterStatus => model.bus_status,
            other => model.at(other) as u8,
        }
    }

    fn write(&mut self, register: Register, value: u8) {
        let mut model = self.0.borrow_mut();
        match register {
            Register::Command => model.begin(value),
            Register::Control if value & SOFTWARE_RESET != 0 => {
                (model.command, model.status) = (None, READY);
                model.resets += 1;
            }
            Register::Control => assert_eq!(value, NO_INTERRUPTS),
            Register::BusMasterStatus => model.bus_status &= !(value & (BUS_ERROR | INTERRUPT)),
            _ => drop(model.registers.insert(register, value)),
        }
        if register == Register::BusMasterCommand {
            let active = if value & START != 0 { ACTIVE } else { 0 };
            model.bus_status = model.bus_status & !ACTIVE | active;
        }
    }

    fn read_data(&mut self) -> u16 {
        let mut model = self.0.borrow_mut();
        let word = model.data.pop().expect("data that was not offered");
        model.status = if model.data.is_empty() { READY } else { model.status };
        word
    }

    fn set_descriptors(&mut self, descriptors: &[u64]) {
        let mut model = self.0.borrow_mut();
        assert_eq!(model.bus_status & ACTIVE, 0, "descriptors are in use");
        model.descriptors = descriptors.to_vec();
    }
}

impl Clock for Channel {
    fn milliseconds(&mut self) -> u64 {
        let mut model = self.0.borrow_mut();
        model.now += 1;
        model.now
    }
}

fn request<'a>(direction: Direction, first: u32, pages: &'a [u32]) -> Request<'a, u32> {
    Request { direction, first, pages }
}

fn wait(drive: &mut Drive<Channel>) -> Result<(), Fault> {
    let ended = (0..100).find_map(|_| drive.poll());
    let (token, outcome) = ended.expect("it ends within a hundred questions");
    assert_eq!(token, Token(0));
    outcome
}

#[test]
fn a_drive_says_what_it_is() {
    let drive = Channel::new().drive();
    assert_eq!(drive.identity().model, "Model 1");
    assert_eq!(drive.pages(), u64::from(SECTORS / SECTORS_PER_PAGE));
}

#[test]
fn what_is_no_disk_is_none() {
    let find = |channel: &Channel, unit| {
        Drive::find(channel.clone(), unit, &mut channel.clone(), 5).map(drop)
    };
    assert_eq!(find(&Channel::new(), Unit::Slave), Err(Absent::NoDisk));
    let packet = Channel::new();
    packet.0.borrow_mut().packet = true;
    assert_eq!(find(&packet, Unit::Master), Err(Absent::NoDisk));
    for floating in [0, 0xff] {
        let channel = Channel::new();
        channel.0.borrow_mut().status = floating;
        assert_eq!(find(&channel, Unit::Master), Err(Absent::NoDisk));
    }
    let stuck = Channel::new();
    stuck.0.borrow_mut().stuck = true;
    assert_eq!(find(&stuck, Unit::Master), Err(Absent::Silent));
}

#[test]
fn pages_go_both_ways() {
    let channel = Channel::new();
    let mut drive = channel.drive();
    let many: Vec<u32> = (1..=32).map(|page| page * PAGE_BYTES as u32).collect();
    for (direction, first, pages) in [
        (Direction::Out, 3, &[0x7000, 0xffff_f000][..]),
        (Direction::In, 0x1fff, &[0x3000][..]),
        (Direction::Out, 0x1ff_ffe0, &many[..]),
    ] {
        assert_eq!(drive.begin(&request(direction, first, pages)), Ok(Some(Token(0))));
        assert_eq!(drive.begin(&request(direction, 9, pages)), Ok(None), "one at a time");
        assert_eq!(wait(&mut drive), Ok(()));
        let memory: Vec<u64> = pages.iter().map(|page| u64::from(*page)).collect();
        let sectors = pages.len() as u32 * 8;
        let done = channel.0.borrow_mut().done.pop();
        assert_eq!(done, Some((direction, first * 8, sectors, memory)));
    }
    assert_eq!(drive.poll(), None);
    assert_eq!(drive.begin(&request(Direction::Out, 0x200_0000, &[0])), Err(Fault::Beyond));
}

#[test]
fn failures_are_told_and_do_not_stay() {
    let channel = Channel::new();
    let mut drive = channel.drive();
    for fails in [true, false] {
        channel.0.borrow_mut().fails = fails;
        drive.begin(&request(Direction::Out, 1, &[0])).expect("it begins");
        assert_eq!(wait(&mut drive).is_err(), fails);
    }
    drive.begin(&request(Direction::Out, 1, &[0])).expect("it begins");
    channel.0.borrow_mut().bus_status |= BUS_ERROR;
    assert_eq!(wait(&mut drive), Err(Fault::Failed));
}

#[test]
fn a_drive_that_is_stopped_moves_nothing() {
    let channel = Channel::new();
    let mut drive = channel.drive();
    channel.0.borrow_mut().stuck = true;
    drive.begin(&request(Direction::In, 1, &[0])).expect("it begins");
    assert_eq!((0..100).find_map(|_| drive.poll()), None);
    drive.stop();
    let model = channel.0.borrow();
    assert_eq!((model.bus_status & ACTIVE, model.resets), (0, 1));
}
