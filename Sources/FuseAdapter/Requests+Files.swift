// The names are those of CFuse.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CFuse
import Glibc
import XenstoreFilesystem

// The kernel's requests on open files and directories.

@c @implementation
func xsfs_on_create(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>,
    _ flags: Int32,
    _ mode: UInt32
) {
    let (directory, name) = (InodeNumber(rawValue: directory), String(cString: name))
    let caller = CallerID(request)
    mount(request).answer(request, locking: [directory], changes: true) {
        filesystem throws(FilesystemError) in
        let flags = OpenFlags(system: flags)
        let (entry, handle) = try await filesystem.create(
            name,
            in: directory,
            flags,
            mode: mode & 0o7777,
            by: caller
        )
        return .created(entry, handle)
    }
}

@c @implementation
func xsfs_on_open(_ request: OpaquePointer, _ inode: UInt64, _ flags: Int32) {
    let inode = InodeNumber(rawValue: inode)
    let isDone = mount(request).answerAgent(request) { filesystem throws(FilesystemError) in
        .opened(try filesystem.openForAgent(inode), .read, .none)
    }
    guard !isDone else { return }
    let caller = CallerID(request)
    let flags = OpenFlags(system: flags)
    let isOpen = mount(request).answerFromMemory(request) { filesystem throws(FilesystemError) in
        try filesystem.openFromMemory(inode, flags, by: caller).map { handle in
            .opened(handle, flags, filesystem.caching(of: handle))
        }
    }
    guard !isOpen else { return }
    mount(request).answer(request) { filesystem throws(FilesystemError) in
        let handle = try await filesystem.openFromStore(inode, flags, by: caller)
        guard !filesystem.isStream(handle) else {
            filesystem.limitStream(handle, to: xsfs_request_user(request)) { group in
                xsfs_request_is_in_group(request, group)
            }
            return .openedStream(handle)
        }
        return .opened(handle, flags, filesystem.caching(of: handle))
    }
}

@c @implementation
func xsfs_on_read(
    _ request: OpaquePointer,
    _ handle: UInt64,
    _ offset: Int64,
    _ size: Int,
    _ waits: Bool
) {
    let handle = HandleID(rawValue: handle)
    let filesystem = mount(request).filesystem
    guard !filesystem.isStream(handle) else {
        return mount(request).answer(request) { filesystem throws(FilesystemError) in
            .bytes(try await filesystem.readStream(handle, count: size, waits: waits))
        }
    }
    if let file = filesystem.fileToAsk(handle, offset: Int(offset)) {
        let caller = CallerID(request)
        // The kernel keeps the page locked until the answer.
        return mount(request).answer(request, reading: file) {
            filesystem throws(FilesystemError) in
            .bytes(
                try await filesystem.readAsking(
                    handle,
                    offset: Int(offset),
                    count: size,
                    by: caller
                )
            )
        }
    }
    _ = mount(request).answerFromMemory(request) { filesystem throws(FilesystemError) in
        .bytes(try filesystem.read(handle, offset: Int(offset), count: size))
    }
}

@c @implementation
func xsfs_on_poll(_ request: OpaquePointer, _ handle: UInt64, _ poll: OpaquePointer?) {
    let handle = HandleID(rawValue: handle)
    let isReadable = mount(request).filesystem.isReadable(handle)
    mount(request).polls.set(poll, for: handle, waits: !isReadable)
    xsfs_reply_poll(request, isReadable)
}

@c @implementation
func xsfs_on_write(
    _ request: OpaquePointer,
    _ handle: UInt64,
    _ offset: Int64,
    _ bytes: UnsafePointer<UInt8>,
    _ size: Int
) {
    let handle = HandleID(rawValue: handle)
    let bytes = Array(UnsafeBufferPointer(start: bytes, count: size))
    mount(request).answer(request, changes: true) { filesystem throws(FilesystemError) in
        try await filesystem.write(bytes, to: handle, offset: Int(offset))
        return .written(size)
    }
}

@c @implementation
func xsfs_on_flush(_ request: OpaquePointer, _ handle: UInt64) {
    let handle = HandleID(rawValue: handle)
    guard !mount(request).filesystem.isClean(handle) else {
        return KernelRequest(request).reply(.success(.done))
    }
    mount(request).answer(request, changes: true) { filesystem throws(FilesystemError) in
        try await filesystem.flush(handle)
        return .done
    }
}

@c @implementation
func xsfs_on_release(_ request: OpaquePointer, _ handle: UInt64) {
    let handle = HandleID(rawValue: handle)
    mount(request).polls.remove(handle)
    guard !mount(request).filesystem.releaseFromMemory(handle) else {
        return KernelRequest(request).reply(.success(.done))
    }
    mount(request).answer(request, changes: true) { filesystem throws(FilesystemError) in
        await filesystem.releaseToStore(handle)
        return .done
    }
}

@c @implementation
func xsfs_on_opendir(_ request: OpaquePointer, _ inode: UInt64) {
    let inode = InodeNumber(rawValue: inode)
    let caller = CallerID(request)
    mount(request).answer(request) { filesystem throws(FilesystemError) in
        let handle = try await filesystem.openDirectory(inode, by: caller)
        return .openedDirectory(handle, filesystem.listingCaching(of: handle))
    }
}

@c @implementation
func xsfs_on_readdirplus(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ handle: UInt64,
    _ offset: Int64,
    _ size: Int
) {
    let (inode, handle) = (InodeNumber(rawValue: inode), HandleID(rawValue: handle))
    mount(request).answer(request, locking: [inode]) { filesystem throws(FilesystemError) in
        var room = size
        let entries = try await filesystem.list(handle, offset: Int(offset)) { name in
            room -= xsfs_listing_entry_size(name)
            return room >= 0
        }
        return .listing(entries, room: size)
    }
}

@c @implementation
func xsfs_on_releasedir(_ request: OpaquePointer, _ handle: UInt64) {
    mount(request).filesystem.releaseDirectory(HandleID(rawValue: handle))
    KernelRequest(request).reply(.success(.done))
}
