import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// The agent is sent ahead of the store's answer about what has changed: its call waits for that.
/// And it may be faster than a program that is on its way.
@MainActor
@Suite struct SpeculativeCallTests {
    @Test func aWriteIsToldWhenTheStoreHasSaidSo() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.write(Array("longer".utf8), to: world.path)
        await world.change()
        #expect(world.calls == ["modify key"])
        let call = await world.touch()
        #expect(world.answer == nil)
        await world.release()
        await call.value
        #expect(try world.answer?.get().size == "longer\n".utf8.count)
        #expect(world.calls.count == 1)
    }

    /// The kernel keeps the file locked while the call waits.
    @Test func aSlowStoreKeepsNobodyFromTheFile() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.write(Array("new".utf8), to: world.path)
        await world.change()
        let call = await world.touch()
        world.passTime()
        await call.value
        #expect(throws: FilesystemError.busy) { try world.answer?.get() }
        // It is told all the same.
        world.filesystem.inotifyReplay.agentIsDone()
        await world.release()
        #expect(world.calls.count == 2)
        await (await world.touch()).value
        #expect(try world.answer?.get().size == "new\n".utf8.count)
    }

    /// For ENOENT a program's O_CREAT would fail; for ESTALE the kernel looks again, and creates.
    @Test func anOpenLooksAgainIfTheAgentTookTheName() async throws {
        let world = try await World()
        world.access.isHeld = true
        try await world.other.remove(world.path)
        await world.change()
        let open = await world.open()
        await world.releaseFirst()
        world.filesystem.inotifyReplay.agentIsDone()
        #expect(world.calls.last == "unlink key")
        try await world.filesystem.inotifyReplay.unlink("key", in: .root)
        await world.release()
        #expect(await open.value == .stale)
    }
}
