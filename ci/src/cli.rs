//! Arguments, and which command they lead to.

use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{
    build, compare, doctor, evacuate, fuzz, hostile, image, run, swap_image, test, torture,
};
use crate::outcome::{bad_input, report};

/// loadphys: what does editing the page tables of another process cost, and what does it protect?
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compare(compare::Arguments),
    Test(test::Arguments),
    Fuzz(fuzz::Arguments),
    Torture(torture::Arguments),
    Evacuate(evacuate::Arguments),
    Hostile(hostile::Arguments),
    Run(run::Arguments),
    Image(image::Arguments),
    SwapImage(swap_image::Arguments),
    Doctor(doctor::Arguments),
    Build(build::Arguments),
}

/// Runs what the arguments ask for.
pub fn run() -> ExitCode {
    crate::interrupt::install();
    match Cli::try_parse() {
        Ok(cli) => report(cli.command.run()),
        Err(error) if is_answer(&error) => error.exit(),
        Err(error) => report(Err(bad_input(one_line(&error)))),
    }
}

impl Command {
    fn run(self) -> Result<()> {
        match self {
            Self::Compare(arguments) => arguments.run(),
            Self::Test(arguments) => arguments.run(),
            Self::Fuzz(arguments) => arguments.run(),
            Self::Torture(arguments) => arguments.run(),
            Self::Evacuate(arguments) => arguments.run(),
            Self::Hostile(arguments) => arguments.run(),
            Self::Run(arguments) => arguments.run(),
            Self::Image(arguments) => arguments.run(),
            Self::SwapImage(arguments) => arguments.run(),
            Self::Doctor(arguments) => arguments.run(),
            Self::Build(arguments) => arguments.run(),
        }
    }
}

/// Help was asked for, or is the best answer.
fn is_answer(error: &clap::Error) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(error.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand)
}

/// The first paragraph of an error, in one line, and where to look for what exists.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraph = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = paragraph.collect::<Vec<_>>().join(" ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    let exists = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            "there is compare, test, fuzz, torture, evacuate, hostile, run, image, swap-image, doctor, build"
        }
        _ => "--help lists what exists",
    };
    format!("{line}; {exists}")
}
