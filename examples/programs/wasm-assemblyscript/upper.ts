// A command of WASI in AssemblyScript: what it reads in capitals.
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(file: i32, pieces: usize, count: i32, read: usize): i32;
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(file: i32, pieces: usize, count: i32, written: usize): i32;

const SIZE = 65536;
const piece = memory.data(16);
const buffer = memory.data(65536);

export function _start(): void {
  while (true) {
    store<u32>(piece, <u32>buffer);
    store<u32>(piece, SIZE, 4);
    fd_read(0, piece, 1, piece + 8);
    const count = load<u32>(piece, 8);
    if (count == 0) return;
    for (let at: u32 = 0; at < count; at++) {
      const byte = load<u8>(buffer + at);
      if (byte >= 97 && byte <= 122) store<u8>(buffer + at, byte - 32);
    }
    store<u32>(piece, count, 4);
    fd_write(1, piece, 1, piece + 8);
  }
}
