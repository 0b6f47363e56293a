//! `gatehouse-controller --config FILE`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// The controller: buses, reader link, decisions, durable outbox.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Its configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatehouse-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<()> {
    // Nothing else installs one, so this succeeds; were it done already, that one would be ring as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = gateway::config::read(&arguments.config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let outcome = runtime.block_on(gateway::process::run(config));
    // Buses and links hold nothing that is worth waiting for.
    runtime.shutdown_background();
    Ok(outcome?)
}
