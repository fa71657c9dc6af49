import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// The calls of the agent give the kernel a file's size, as those of programs do. What reads
/// through the page cache ends there: neither may be given one that the other spoils.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct InjectedSizeTests {
    private let caller = CallerID(rawValue: 7)

    private func open(_ world: World) async -> Result<HandleID, FilesystemError> {
        do throws(FilesystemError) {
            return .success(try await world.filesystem.open(world.inode, .read, by: caller))
        } catch {
            return .failure(error)
        }
    }

    private func text(_ world: World, _ handle: HandleID) throws -> String {
        String(decoding: try world.filesystem.read(handle, offset: 0, count: 4096), as: UTF8.self)
    }

    /// Also where the file is as long as the kernel takes it to be at this moment.
    @Test func anOpeningWaitsUntilTheKernelHasTakenTheSize() async throws {
        let world = try await World()
        try await world.write("other", to: "/key")
        try await world.change(at: "/key")
        #expect(
            try await world.filesystem.inotifyReplay.setAttributes(
                AttributeChanges(),
                of: world.inode,
                handle: nil
            ).size == 6
        )
        var isOpen = false
        let opening = Task {
            defer { isOpen = true }
            return await open(world)
        }
        for _ in 0..<100 { await Task.yield() }
        #expect(!isOpen)
        world.filesystem.inotifyReplay.agentHasCalled()
        #expect(try text(world, await opening.value.get()) == "other\n")
    }

    /// Else the kernel would leave the size that the program is given when it looks the name up.
    @Test func aChangeWaitsForAFileThatIsOpenedOnceMore() async throws {
        let world = try await World()
        try await world.write("longer than it was", to: "/key")
        try await world.change(at: "/key")
        #expect(await open(world) == .failure(.stale))
        let touch = await world.touch()
        for _ in 0..<100 { await Task.yield() }
        #expect(world.answer == nil)
        _ = try await world.filesystem.lookup("key", in: .root, by: caller)
        #expect(try text(world, await open(world).get()) == "longer than it was\n")
        await touch.value
        #expect(try world.answer?.get().size == 19)
    }

    @Test func aChangeWaitsForAProgramThatReads() async throws {
        let world = try await World()
        let handle = try await open(world).get()
        try await world.write("longer than it was", to: "/key")
        try await world.change(at: "/key")
        let touch = await world.touch()
        for _ in 0..<100 { await Task.yield() }
        #expect(world.answer == nil)
        await world.filesystem.release(handle)
        await touch.value
        #expect(try world.answer?.get().size == 19)
    }

    @Test func aChangeWaitsForNobodyWhoDoesNotComeBack() async throws {
        let world = try await World()
        try await world.write("longer than it was", to: "/key")
        try await world.change(at: "/key")
        #expect(await open(world) == .failure(.stale))
        let touch = await world.touch()
        world.passTime()
        await touch.value
        #expect(try world.answer?.get().size == 19)
    }

    /// The kernel leaves what it asked for before it took the agent's size.
    @Test func whatIsCachedIsNoLongerThanTheKernelIsSureToKnow() async throws {
        for isCached in [true, false] {
            let world = try await World()
            let handle = try await open(world).get()
            // The change waits for it no longer.
            world.elapsed = .seconds(1)
            try await world.write("longer than it was", to: "/key")
            try await world.change(at: "/key")
            _ = try await world.filesystem.inotifyReplay.setAttributes(
                AttributeChanges(),
                of: world.inode,
                handle: nil
            )
            world.filesystem.inotifyReplay.agentHasCalled()
            let told = try await world.filesystem.attributes(of: world.inode, by: caller)
            #expect(told.size == 19)
            if isCached { world.filesystem.willCache(handle) }
            #expect(try text(world, handle) == (isCached ? "old\n" : "longer than it was\n"))
        }
    }
}
