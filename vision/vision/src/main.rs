//! `gatehouse-vision --config FILE [--check]`: watches the cameras until it is told to stop, or only says what is wrong.
//! `gatehouse-vision enrol --server … --directory …`: makes a key here and gets its certificate for a one-time code.
//! `gatehouse-vision evaluate FOLDER`: says how well faces are told apart on a set of photographs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use vision::config::Config;

/// The vision process of Gatehouse.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The configuration file.
    #[arg(long, required = true)]
    config: Option<PathBuf>,
    /// Read the configuration and what it names, say the first thing that is wrong, and do nothing else.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Measures recognition and liveness on labelled photographs and prints a table.
    Evaluate(vision::evaluate::Arguments),
    /// Makes a key here and gets its certificate from the server, for a one-time code; writes a first configuration.
    Enrol {
        /// The server, as `https://gate.example.cn:8443`.
        #[arg(long)]
        server: String,
        /// The code; left out, its line is read from the standard input, where no list of processes shows it.
        #[arg(long)]
        code: Option<String>,
        /// Where key, certificates and configuration are written.
        #[arg(long)]
        directory: PathBuf,
    },
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    // OpenCV's own remarks about cameras that are not seekable help nobody.
    opencv::core::set_log_level(opencv::core::LogLevel::LOG_LEVEL_ERROR).ok();
    match work(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse-vision: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(arguments: Arguments) -> Result<()> {
    match (arguments.command, arguments.config) {
        (Some(Command::Evaluate(evaluate)), _) => vision::evaluate::run(&evaluate),
        (Some(Command::Enrol { server, code, directory }), _) => {
            let code = identity::enrol::typed(code.as_deref()).context("--code")?;
            let name = vision::enrol::enrol(&server, &code, &directory)?;
            println!("{name} is enrolled: {}", directory.join(vision::enrol::CONFIGURATION).display());
            Ok(())
        }
        (None, Some(config)) if arguments.check => {
            vision::run::check(&Config::read(&config)?)?;
            println!("{}: nothing is wrong", config.display());
            Ok(())
        }
        (None, Some(config)) => vision::run::run(Config::read(&config)?),
        (None, None) => unreachable!("clap demands one of the two"),
    }
}
