//! Files without a name: written past the page cache again and again, or just taking room.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::{Errno, pwrite};

use crate::fault::disk::Folder;

/// What is written at a time, and what direct writes must be aligned to.
const BLOCK: usize = 256 << 10;
const ALIGNED: usize = 4096;
/// How long a file becomes before it is written again from its beginning.
const LENGTH: u64 = 16 << 20;
/// Room is taken in pieces, so that a disk that is full half-way is told, and the end of the agent is heard in between.
const PIECE: u64 = 256 << 20;

/// A file each of whose writes goes to the device before it returns.
pub fn file(folder: &Folder) -> Result<OwnedFd, String> {
    folder.file_without_name(OFlags::DIRECT | OFlags::DSYNC)
}

/// Writes it from beginning to end without end. An error ends the worker: nothing would weigh on the disk any more.
pub fn again_and_again(file: &OwnedFd) {
    let room = vec![0x5a_u8; BLOCK + ALIGNED];
    let start = room.as_ptr().align_offset(ALIGNED);
    let block = &room[start..start + BLOCK];
    let mut at = 0;
    loop {
        match pwrite(file, block, at) {
            Ok(_) => at = (at + BLOCK as u64) % LENGTH,
            Err(Errno::INTR) => {}
            Err(error) => {
                eprintln!("cannot write: {}", io::Error::from(error));
                std::process::exit(1);
            }
        }
    }
}

/// Makes the file so long, with room for every byte.
pub fn take(file: &OwnedFd, bytes: u64) -> io::Result<()> {
    let mut at = 0;
    while at < bytes {
        let piece = PIECE.min(bytes - at);
        match fallocate(file, FallocateFlags::empty(), at, piece) {
            Ok(()) => at += piece,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
