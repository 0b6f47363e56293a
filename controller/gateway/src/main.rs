//! `gatehouse-controller --config FILE [install DEVICE | outbox | check]`, or `enrol --server … --directory …`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use gateway::install::{LONGEST_WINDOW, install};
use gateway::outbox::Reader;
use gateway::tls::Identity;
use tracing_subscriber::EnvFilter;

/// The controller: buses, reader link, decisions, durable outbox.
#[derive(Parser)]
#[command(version, subcommand_negates_reqs = true)]
struct Arguments {
    /// Its configuration (TOML).
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    instead: Option<Instead>,
}

/// What can be done instead of running.
#[derive(Subcommand)]
enum Instead {
    /// Gives a new device on a bus its key; the controller must be stopped meanwhile.
    Install {
        /// The device's name in the configuration.
        device: String,
        /// How long the window stays open.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=LONGEST_WINDOW))]
        minutes: u64,
    },
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
    /// Prints how many events were numbered and acknowledged, as JSON.
    Outbox,
    /// Reads the configuration and what it names, and says the first thing that is wrong.
    Check,
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
    if let Some(Instead::Enrol { server, code, directory }) = &arguments.instead {
        let code = identity::enrol::typed(code.as_deref()).context("--code")?;
        let name = gateway::enrol::enrol(server, &code, directory)?;
        println!("{name} is enrolled: {}", directory.join(gateway::enrol::CONFIGURATION).display());
        return Ok(());
    }
    let file = arguments.config.as_ref().context("--config FILE must be said")?;
    let config = gateway::config::read(file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    let outcome = match &arguments.instead {
        None => runtime.block_on(gateway::process::run(config)).map_err(anyhow::Error::from),
        Some(Instead::Install { device, minutes }) => {
            let window = Duration::from_secs(minutes * 60);
            let installed = runtime.block_on(install(&config, device, window));
            installed.map(|()| println!("{device} answers under its own key")).map_err(anyhow::Error::from)
        }
        Some(Instead::Outbox) => runtime.block_on(print_outbox(&config)),
        Some(Instead::Check) => Identity::read(&config.tls, &config.name)
            .map(|_| println!("{}: nothing is wrong", file.display()))
            .map_err(anyhow::Error::from),
        Some(Instead::Enrol { .. }) => unreachable!("it was carried out above"),
    };
    // Buses and links hold nothing that is worth waiting for.
    runtime.shutdown_background();
    outcome
}

async fn print_outbox(config: &gateway::config::Config) -> anyhow::Result<()> {
    let levels = Reader::open(&config.outbox_file()).await?.levels().await?;
    let ([urgent, bulk], [urgent_acked, bulk_acked]) = (levels.last, levels.acked);
    let [epoch, bulk_epoch] = levels.epoch;
    println!(
        r#"{{"epoch":{epoch},"bulk_epoch":{bulk_epoch},"urgent":{urgent},"bulk":{bulk},"urgent_acked":{urgent_acked},"bulk_acked":{bulk_acked}}}"#
    );
    Ok(())
}
