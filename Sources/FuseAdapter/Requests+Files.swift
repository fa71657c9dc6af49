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
    let flags = OpenFlags(system: flags)
    let call = KernelCall(.create, .name(name, in: directory), by: caller, .open(flags))
    mount(request).answer(request, call, locking: [directory], changes: true) {
        filesystem throws(FilesystemError) in
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
    let caller = CallerID(request)
    let flags = OpenFlags(system: flags)
    let call = KernelCall(.open, .inode(inode), by: caller, .open(flags))
    let isOpen = mount(request).answerFromMemory(request, call) {
        filesystem throws(FilesystemError) in
        try filesystem.openFromMemory(inode, flags, by: caller).map { handle in
            // What the agent opens has nothing to be put.
            .opened(handle, handle == .agent ? .read : flags, filesystem.caching(of: handle))
        }
    }
    guard !isOpen else { return }
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
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
    _ waits: Bool,
    _ fillsCache: Bool
) {
    let handle = HandleID(rawValue: handle)
    // That of a transaction may have ended.
    let filesystem = mount(request).filesystem.filesystem(of: handle)
    let caller = CallerID(request)
    guard filesystem?.isStream(handle) != true else {
        let call = KernelCall(.read, .handle(handle), by: caller, .stream(count: size))
        return mount(request).answer(request, call) { filesystem throws(FilesystemError) in
            .bytes(try await filesystem.readStream(handle, count: size, waits: waits))
        }
    }
    let detail = KernelCall.Detail.range(offset: Int(offset), count: size)
    let call = KernelCall(.read, .handle(handle), by: caller, detail)
    if fillsCache { filesystem?.willCache(handle) }
    if let file = filesystem?.fileToAsk(handle, offset: Int(offset)) {
        // The kernel keeps the page locked until the answer.
        return mount(request).answer(request, call, reading: file) {
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
    _ = mount(request).answerFromMemory(request, call) { filesystem throws(FilesystemError) in
        .bytes(try filesystem.read(handle, offset: Int(offset), count: size))
    }
}

@c @implementation
func xsfs_on_poll(_ request: OpaquePointer, _ handle: UInt64, _ poll: OpaquePointer?) {
    let handle = HandleID(rawValue: handle)
    mount(request).note(KernelCall(.poll, .handle(handle), by: CallerID(request)))
    let filesystem = mount(request).filesystem.filesystem(of: handle)
    let isReadable = filesystem?.isReadable(handle) ?? true
    mount(request).polls.set(poll, for: handle)
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
    let detail = KernelCall.Detail.range(offset: Int(offset), count: size)
    let call = KernelCall(.write, .handle(handle), by: CallerID(request), detail)
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        try await filesystem.write(bytes, to: handle, offset: Int(offset))
        return .written(size)
    }
}

@c @implementation
func xsfs_on_flush(_ request: OpaquePointer, _ handle: UInt64) {
    let handle = HandleID(rawValue: handle)
    let call = KernelCall(.flush, .handle(handle), by: CallerID(request))
    let isDone = mount(request).answerFromMemory(request, call) { filesystem in
        filesystem.isClean(handle) ? .done : nil
    }
    guard !isDone else { return }
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        try await filesystem.flush(handle)
        return .done
    }
}

@c @implementation
func xsfs_on_release(_ request: OpaquePointer, _ handle: UInt64) {
    let handle = HandleID(rawValue: handle)
    mount(request).polls.remove(handle)
    let call = KernelCall(.release, .handle(handle), by: CallerID(request))
    let isDone = mount(request).answerFromMemory(request, call) { filesystem in
        filesystem.releaseFromMemory(handle) ? .done : nil
    }
    guard !isDone else { return }
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        await filesystem.releaseToStore(handle)
        return .done
    }
}

@c @implementation
func xsfs_on_opendir(_ request: OpaquePointer, _ inode: UInt64) {
    let inode = InodeNumber(rawValue: inode)
    let caller = CallerID(request)
    let call = KernelCall(.opendir, .inode(inode), by: caller)
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
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
    let call = KernelCall(.readdirplus, .inode(inode), by: CallerID(request))
    mount(request).answer(request, call, locking: [inode]) { filesystem throws(FilesystemError) in
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
    let handle = HandleID(rawValue: handle)
    let call = KernelCall(.releasedir, .directoryHandle(handle), by: CallerID(request))
    _ = mount(request).answerFromMemory(request, call) { filesystem in
        filesystem.releaseDirectory(handle)
        return .done
    }
}
