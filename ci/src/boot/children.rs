//! Processes that we started, all of which end with us.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt;

static ALIVE: Mutex<BTreeMap<u32, Child>> = Mutex::new(BTreeMap::new());

fn alive() -> MutexGuard<'static, BTreeMap<u32, Child>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running(u32);

/// Starts a process.
pub fn spawn(command: &mut Command) -> Result<Running> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut alive = alive();
    interrupt::check()?;
    let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let id = child.id();
    alive.insert(id, child);
    Ok(Running(id))
}

impl Running {
    /// Its status, once it has ended.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        let mut alive = alive();
        let child = alive.get_mut(&self.0).expect("it leaves the list when this is dropped");
        child.try_wait().context("cannot wait for a process")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = alive().remove(&self.0) {
            end(&mut child);
        }
    }
}

/// Kills a process, and its group if it leads one: cargo's own children too.
fn end(child: &mut Child) {
    // Its number may be another process's once it has been waited for.
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    // Either fails only where the process has just ended by itself, or leads no group.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.kill();
    let _ = child.wait();
}

/// Kills all that run.
pub fn kill_all() {
    alive().values_mut().for_each(end);
}

/// A command that starts `program` so that it ends even when we are killed outright.
pub fn mortal(program: &str) -> Command {
    if which::which("setpriv").is_err() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// Runs a process to its end and returns what it wrote.
pub fn output(command: &mut Command) -> Result<Output> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = stream(command, |line| match line {
        Line::Out(line) => stdout.extend(line),
        Line::Error(line) => stderr.extend(line),
    })?;
    Ok(Output { status, stdout, stderr })
}

/// A line, with its end, as a process wrote it.
#[derive(Debug)]
pub enum Line {
    /// On standard output.
    Out(Vec<u8>),
    /// On standard error.
    Error(Vec<u8>),
}

/// Runs a process to its end and hands over each line as it comes.
pub fn stream(command: &mut Command, mut heard: impl FnMut(Line)) -> Result<ExitStatus> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let running = spawn(command)?;
    let (out, error) = pipes(&running);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let other = sender.clone();
        scope.spawn(move || send_lines(out, Line::Out, &sender));
        scope.spawn(move || send_lines(error, Line::Error, &other));
        receiver.iter().for_each(&mut heard);
    });
    let status = running.wait()?;
    interrupt::check()?;
    Ok(status)
}

fn send_lines(
    pipe: Option<impl Read>,
    line: impl Fn(Vec<u8>) -> Line,
    receiver: &mpsc::Sender<Line>,
) {
    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut bytes = Vec::new();
        match pipe.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) if receiver.send(line(bytes)).is_err() => return,
            Ok(_) => {}
        }
    }
}

fn pipes(running: &Running) -> (Option<impl Read + Send>, Option<impl Read + Send>) {
    let mut alive = alive();
    let child = alive.get_mut(&running.0).expect("it has just been started");
    (child.stdout.take(), child.stderr.take())
}

impl Running {
    /// Waits for its end.
    pub fn wait(&self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }
}

/// How often we look whether a process has ended.
pub const POLL: std::time::Duration = std::time::Duration::from_millis(20);
