import XenstoreFilesystem
import XenstoreProtocol

/// An open file of an ``InProcessSurface``.
struct InProcessFile<Access: XenstoreAccess>: SurfaceFile {
    let surface: InProcessSurface<Access>
    let inode: InodeNumber
    let handle: HandleID

    func read() async throws -> [UInt8] {
        await surface.waitUntilIdle()
        let filesystem = try surface.filesystem.asked(.read, .handle(handle))
        guard filesystem.fileToAsk(handle, offset: 0) != nil else {
            return Array(try filesystem.read(handle, offset: 0, count: 1 << 20))
        }
        // As the mount does.
        return Array(
            try await filesystem.readAsking(handle, offset: 0, count: 1 << 20, by: surface.caller)
        )
    }

    func write(_ bytes: [UInt8], at offset: Int) async throws {
        await surface.waitUntilIdle()
        try await surface.filesystem.asked(.write, .handle(handle)).write(
            bytes,
            to: handle,
            offset: offset
        )
    }

    func truncate(to size: Int) async throws {
        await surface.waitUntilIdle()
        _ = try await surface.filesystem.asked(.setattr, .inode(inode)).setAttributes(
            AttributeChanges(size: size),
            of: inode,
            handle: handle
        )
    }

    func size() async throws -> Int {
        await surface.waitUntilIdle()
        return try await surface.filesystem.asked(.getattr, .inode(inode))
            .attributes(of: inode, by: surface.caller).size
    }

    func end() async throws -> Int {
        await surface.waitUntilIdle()
        return try await surface.filesystem.asked(.getattr, .inode(inode)).attributes(
            of: inode,
            handle: handle,
            by: surface.caller
        ).size
    }

    func close() async throws {
        await surface.waitUntilIdle()
        try await surface.close(handle)
    }
}
