//! `--image`: what the pods run that brunt makes of its own in a cluster.

/// The image with brunt in it.
#[derive(Debug, Clone, clap::Args)]
pub struct Image {
    /// The image of what brunt runs of its own in a Kubernetes cluster; brunt is at `/brunt` in it.
    ///
    /// A node that has it does not pull it.
    #[arg(
        long = "image",
        value_name = "IMAGE",
        env = "BRUNT_IMAGE",
        hide_env_values = true,
        default_value = concat!("brunt:", env!("CARGO_PKG_VERSION")),
        help_heading = "Kubernetes"
    )]
    pub name: String,
}

impl Image {
    /// Without a flag and a variable.
    pub fn of_this_version() -> Self {
        Self { name: concat!("brunt:", env!("CARGO_PKG_VERSION")).to_owned() }
    }
}
