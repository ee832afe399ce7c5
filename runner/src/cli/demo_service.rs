//! `brunt demo-service NAME --port N`: one service of the toy shop, as `shop.brunt.yaml` starts it.

use std::net::{IpAddr, SocketAddr};

use super::Failure;
use crate::demo::{self, Service};

const EXAMPLES: &str = "\
Environment:
  INSTANCE        payments: what it calls itself in the header x-instance of each reply
  ORDERS_URL      gateway: where orders is, http://host:port
  PAYMENTS_URLS   orders: the payment instances, http://host:port,http://host:port,...
  REFUSES         payments: 20% = each fifth payment is answered with 500, as by a bad version
  RESILIENT       orders: true = 100 ms a try, retries at another instance within a budget of
                  20 % of the requests (at least 20/s), an instance is left out for 2 s after
                  five failures in a row; anything else = none of it

Examples:
  brunt demo-service payments --port 9001
  PAYMENTS_URLS=http://127.0.0.1:9001 RESILIENT=true brunt demo-service orders --port 9000
  ORDERS_URL=http://127.0.0.1:9000 brunt demo-service gateway --port 8080
  curl -d '{\"sku\":\"A1\",\"amount\":3}' http://127.0.0.1:8080/orders";

/// Run one service of the demo shop, until SIGTERM.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which one.
    #[arg(value_enum)]
    service: Service,
    /// The TCP port to listen on.
    #[arg(long)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
}

pub fn run(args: &Args) -> Result<u8, Failure> {
    demo::serve(args.service, SocketAddr::new(args.address, args.port), |name| std::env::var(name).ok())?;
    Ok(0)
}
