// The names are those of CFuse.h.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CFuse
import Glibc
import XenstoreFilesystem

// The kernel's requests, as CFuse passes them: each is taken apart and handed to the filesystem.
// Those of the inotify agent are answered by functions of their own.

@c @implementation
func xsfs_on_init(_ context: UnsafeMutableRawPointer, _ minor: UInt32) {
    FuseMount.of(context: context).began(minor)
}

/// The mount that a request is for.
func mount(_ request: OpaquePointer) -> FuseMount {
    FuseMount.of(context: xsfs_request_context(request))
}

extension InodeNumber {
    fileprivate init(_ number: UInt64) {
        self.init(rawValue: number)
    }
}

extension CallerID {
    init(_ request: OpaquePointer) {
        self.init(rawValue: xsfs_request_caller(request))
    }
}

extension OpenFlags {
    /// Takes the flags of open(2).
    init(system flags: Int32) {
        switch flags & O_ACCMODE {
        case O_RDONLY: self = .read
        case O_WRONLY: self = .write
        default: self = [.read, .write]
        }
        if flags & O_APPEND != 0 { insert(.append) }
        if flags & O_TRUNC != 0 { insert(.truncate) }
        if flags & O_EXCL != 0 { insert(.exclusive) }
        if flags & O_NOFOLLOW != 0 { insert(.noFollow) }
    }
}

// MARK: Names

@c @implementation
func xsfs_on_lookup(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>
) {
    let (directory, name) = (InodeNumber(directory), String(cString: name))
    let caller = CallerID(request)
    let call = KernelCall(.lookup, .name(name, in: directory), by: caller)
    mount(request).answer(request, call, locking: [directory]) {
        filesystem throws(FilesystemError) in
        .entry(try await filesystem.lookup(name, in: directory, by: caller))
    }
}

@c @implementation
func xsfs_on_forget(_ context: UnsafeMutableRawPointer, _ inode: UInt64, _ count: UInt64) {
    let (mount, inode) = (FuseMount.of(context: context), InodeNumber(inode))
    mount.note(KernelCall(.forget, .inode(inode), by: .nobody, .count(count)))
    mount.filesystem.filesystem(of: inode)?.forget(inode, count: count)
}

@c @implementation
func xsfs_on_mkdir(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>
) {
    let (directory, name) = (InodeNumber(directory), String(cString: name))
    let caller = CallerID(request)
    let call = KernelCall(.mkdir, .name(name, in: directory), by: caller)
    mount(request).answer(request, call, locking: [directory], changes: true) {
        filesystem throws(FilesystemError) in
        .entry(try await filesystem.makeDirectory(name, in: directory, by: caller))
    }
}

@c @implementation
func xsfs_on_mknod(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>,
    _ mode: UInt32
) {
    let (directory, name) = (InodeNumber(directory), String(cString: name))
    let caller = CallerID(request)
    let isRegular = mode & S_IFMT == S_IFREG
    let call = KernelCall(.mknod, .name(name, in: directory), by: caller)
    mount(request).answer(request, call, locking: [directory], changes: true) {
        filesystem throws(FilesystemError) in
        guard isRegular else { throw .notPermitted }
        let flags: OpenFlags = [.write, .exclusive]
        let (entry, handle) = try await filesystem.create(
            name,
            in: directory,
            flags,
            mode: mode & 0o7777,
            by: caller
        )
        await filesystem.release(handle)
        return .entry(entry)
    }
}

@c @implementation
func xsfs_on_unlink(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>
) {
    let (directory, name) = (InodeNumber(directory), String(cString: name))
    let call = KernelCall(.unlink, .name(name, in: directory), by: CallerID(request))
    mount(request).answer(request, call, locking: [directory], changes: true) {
        filesystem throws(FilesystemError) in
        try await filesystem.unlink(name, in: directory)
        return .done
    }
}

@c @implementation
func xsfs_on_rmdir(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>
) {
    let (directory, name) = (InodeNumber(directory), String(cString: name))
    let locked = [directory] + mount(request).known(name, in: directory)
    let call = KernelCall(.rmdir, .name(name, in: directory), by: CallerID(request))
    mount(request).answer(request, call, locking: locked, changes: true) {
        filesystem throws(FilesystemError) in
        try await filesystem.removeDirectory(name, in: directory)
        return .done
    }
}

@c @implementation
func xsfs_on_rename(
    _ request: OpaquePointer,
    _ directory: UInt64,
    _ name: UnsafePointer<CChar>,
    _ newDirectory: UInt64,
    _ newName: UnsafePointer<CChar>,
    _ flags: UInt32
) {
    let (source, name) = (InodeNumber(directory), String(cString: name))
    let (target, newName) = (InodeNumber(newDirectory), String(cString: newName))
    let caller = CallerID(request)
    let modes: [UInt32: RenameMode] = [0: .replace, 1: .keep, 2: .exchange]
    let mode = modes[flags]
    let (old, new) = (
        mount(request).known(name, in: source), mount(request).known(newName, in: target)
    )
    let locked = [source, target] + old + new
    let call = KernelCall(
        .rename,
        .names(name, in: source, new: newName, newIn: target),
        by: caller
    )
    mount(request).answer(request, call, locking: locked, changes: true) {
        filesystem throws(FilesystemError) in
        guard let mode else { throw .invalid }
        try await filesystem.rename(
            name,
            in: source,
            to: newName,
            in: target,
            mode,
            by: caller
        )
        return .done
    }
}

// MARK: Attributes

@c @implementation
func xsfs_on_getattr(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ hasHandle: Bool,
    _ handle: UInt64
) {
    let inode = InodeNumber(inode)
    let handle = hasHandle ? HandleID(rawValue: handle) : nil
    let caller = CallerID(request)
    let call = KernelCall(.getattr, .inode(inode), by: caller)
    let isDone = mount(request).answerFromMemory(request, call) {
        filesystem throws(FilesystemError) in
        try filesystem.attributesFromMemory(of: inode, handle: handle, by: caller).map(
            Answer.attributes
        )
    }
    guard !isDone else { return }
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
        .attributes(
            try await filesystem.attributesFromStore(of: inode, handle: handle, by: caller)
        )
    }
}

@c @implementation
func xsfs_on_access(_ request: OpaquePointer, _ inode: UInt64, _ rights: Int32) {
    let inode = InodeNumber(inode)
    let rights = AccessRights(rawValue: UInt8(truncatingIfNeeded: rights))
    let call = KernelCall(.access, .inode(inode), by: CallerID(request))
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
        try await filesystem.requireAccess(rights, to: inode)
        return .done
    }
}

@c @implementation
func xsfs_on_setattr(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ changes: UnsafePointer<xsfs_changes>
) {
    let inode = InodeNumber(inode)
    let handle = changes.pointee.has_handle ? HandleID(rawValue: changes.pointee.handle) : nil
    let changes = AttributeChanges(changes.pointee)
    let call = KernelCall(.setattr, .inode(inode), by: CallerID(request), .changes(changes))
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        .attributes(try await filesystem.setAttributes(changes, of: inode, handle: handle))
    }
}

extension AttributeChanges {
    fileprivate init(_ changes: xsfs_changes) {
        self.init(
            mode: changes.has_mode ? changes.mode & 0o7777 : nil,
            userID: changes.has_uid ? changes.uid : nil,
            groupID: changes.has_gid ? changes.gid : nil,
            size: changes.has_size ? Int(clamping: changes.size) : nil,
            modified: changes.modified_is_now
                ? .now
                : changes.has_modified
                    ? Timestamp(
                        seconds: changes.modified_seconds,
                        nanoseconds: changes.modified_nanoseconds
                    ) : nil
        )
    }
}

@c @implementation
func xsfs_on_getxattr(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ name: UnsafePointer<CChar>,
    _ size: Int
) {
    let (inode, name) = (InodeNumber(inode), String(cString: name))
    let call = KernelCall(.getxattr, .inode(inode), by: CallerID(request), .attribute(name))
    let isDone = mount(request).answerFromMemory(request, call) {
        filesystem throws(FilesystemError) in
        try filesystem.extendedAttributeFromMemory(name, of: inode).map {
            .attribute($0, room: size)
        }
    }
    guard !isDone else { return }
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
        .attribute(try await filesystem.extendedAttributeFromStore(name, of: inode), room: size)
    }
}

@c @implementation
func xsfs_on_setxattr(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ name: UnsafePointer<CChar>,
    _ bytes: UnsafePointer<UInt8>,
    _ size: Int,
    _ flags: Int32
) {
    let (inode, name) = (InodeNumber(inode), String(cString: name))
    let value = Array(UnsafeBufferPointer(start: bytes, count: size))
    let modes: [Int32: ExtendedAttributeMode] = [0: .any, 1: .create, 2: .replace]
    let mode = modes[flags]
    let call = KernelCall(.setxattr, .inode(inode), by: CallerID(request), .attribute(name))
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        guard let mode else { throw .invalid }
        try await filesystem.setExtendedAttribute(name, to: value, of: inode, mode)
        return .done
    }
}

@c @implementation
func xsfs_on_listxattr(_ request: OpaquePointer, _ inode: UInt64, _ size: Int) {
    let inode = InodeNumber(inode)
    let call = KernelCall(.listxattr, .inode(inode), by: CallerID(request))
    mount(request).answer(request, call) { filesystem throws(FilesystemError) in
        let names = try await filesystem.extendedAttributeNames(of: inode)
        return .attribute(names.flatMap { Array($0.utf8) + [0] }, room: size)
    }
}

@c @implementation
func xsfs_on_removexattr(
    _ request: OpaquePointer,
    _ inode: UInt64,
    _ name: UnsafePointer<CChar>
) {
    let (inode, name) = (InodeNumber(inode), String(cString: name))
    let call = KernelCall(.removexattr, .inode(inode), by: CallerID(request), .attribute(name))
    mount(request).answer(request, call, changes: true) { filesystem throws(FilesystemError) in
        try await filesystem.removeExtendedAttribute(name, of: inode)
        return .done
    }
}

@c @implementation
func xsfs_on_interrupt(_ context: UnsafeMutableRawPointer, _ id: UInt64) {
    FuseMount.of(context: context).interrupted(id)
}
