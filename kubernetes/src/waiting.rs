//! Why a container has not begun, in the words of its kubelet, and what helps where that has no image for it.

use k8s_openapi::api::core::v1::ContainerStateWaiting;

/// The reasons of a kubelet that has no image. It goes on asking for one, more and more seldom.
const NO_IMAGE: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"];

/// `ErrImagePull: no such image (...)`: its reason, and what it says of it.
pub(crate) fn in_words(waiting: ContainerStateWaiting) -> String {
    let reason = waiting.reason.unwrap_or_default();
    let help = if lacks_image(&reason) { " (another image: `--image` or BRUNT_IMAGE)" } else { "" };
    let message = waiting.message.map_or_else(String::new, |message| format!(": {message}"));
    reason + &message + help
}

/// Whether somebody waits, as told here, for an image that could not be had.
pub fn lacks_image(why: &str) -> bool {
    NO_IMAGE.iter().any(|reason| why.starts_with(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_image_is_told_how_to_name_another_one() {
        let waiting = |reason: &str, message: Option<&str>| {
            in_words(ContainerStateWaiting { reason: Some(reason.into()), message: message.map(str::to_owned) })
        };
        let told = waiting("ErrImagePull", Some("no such image"));
        assert_eq!(told, "ErrImagePull: no such image (another image: `--image` or BRUNT_IMAGE)");
        assert!(lacks_image(&told) && lacks_image("ImagePullBackOff: Back-off"));
        assert_eq!(waiting("ContainerCreating", None), "ContainerCreating");
        assert!(!lacks_image("ContainerCreating") && !lacks_image("0/2 nodes are available"));
    }
}
