import FilesystemScenarios
import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// When a domain goes, the store changes permissions and removes keys without an event of that:
/// `@releaseDomain` is all that it sends.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct ReleasedDomainTests {
    private let caller = CallerID(rawValue: 3)

    /// Domains 2 and 5 are there. 5 may read `/shared`, and owns `/d/own` and `/d/dir`; 2 may read
    /// `/kept`.
    private func makeWorld(
        cache: FilesystemOptions.Cache,
        mayWatch: Bool = false,
        isWatched: Bool = true
    ) async throws -> World {
        let world = try await World(
            ["/shared": "v", "/kept": "v", "/d/own": "v", "/d/dir/k": "v", "/d/other": "v"],
            mayWatch: mayWatch,
            cache: cache
        )
        for domain in [2, 5] {
            let request = Request.introduce(DomainID(UInt32(domain)), frame: 1, eventChannel: 1)
            _ = try await world.other.send(request, in: .none)
        }
        for (path, text) in [
            ("/shared", "n0,r5"), ("/kept", "n0,r2"), ("/d/own", "n5"), ("/d/dir", "n5"),
        ] {
            let permissions = try #require(Permissions(text: text.utf8))
            try await world.other.setPermissions(permissions, of: try XenstorePath(path))
            try await world.change(at: path)
        }
        // The first event of the watch.
        if isWatched { world.tell(of: "@releaseDomain") }
        return world
    }

    /// Has the agent make all calls that are due.
    private func makeCalls(_ world: World) async -> [String] {
        var count = -1
        while count < world.calls.count {
            count = world.calls.count
            world.filesystem.inotifyReplay.agentIsDone()
            await world.finish()
        }
        return world.calls
    }

    private func release(_ world: World, _ event: String) async throws {
        _ = try await world.other.send(.release(DomainID(5)), in: .none)
        world.tell(of: event)
    }

    private func permissions(_ world: World, _ inode: InodeNumber) async throws -> String {
        let name = "user.xenstore.perms"
        let filesystem = world.filesystem
        if let kept = try filesystem.extendedAttributeFromMemory(name, of: inode) {
            return String(decoding: kept, as: UTF8.self)
        }
        let asked = try await filesystem.extendedAttributeFromStore(name, of: inode)
        return String(decoding: asked, as: UTF8.self)
    }

    @Test(arguments: ["@releaseDomain", "@releaseDomain/5"])
    func itIsInNoPermissionsFromTheEventOn(event: String) async throws {
        let world = try await makeWorld(cache: .strict)
        let shared = try await world.lookup("shared").attributes.inode
        #expect(try await permissions(world, shared) == "n0,r5")
        try await release(world, event)
        #expect(try await permissions(world, shared) == "n0")
    }

    /// What the store was asked before is of the time before.
    @Test func anAnswerOnItsWayIsNotKept() async throws {
        let world = try await makeWorld(cache: .strict)
        world.access.holdsAnswers = true
        let lookup = Task { try await world.lookup("shared").attributes.inode }
        while !world.access.isAsked { await Task.yield() }
        try await release(world, "@releaseDomain/5")
        await world.release()
        #expect(try await permissions(world, try await lookup.value) == "n0")
    }

    @Test(arguments: ["@releaseDomain", "@releaseDomain/5"])
    func theKernelKeepsNothingOfItsKeysAndAllOfOthers(event: String) async throws {
        let world = try await makeWorld(cache: .watch)
        let directory = try await world.lookup("d").attributes.inode
        let own = try await world.filesystem.lookup("own", in: directory, by: caller)
            .attributes.inode
        let shared = try await world.lookup("shared").attributes.inode
        let kept = try await world.lookup("kept").attributes.inode
        for inode in [directory, own, shared, kept] { _ = try await world.status(inode) }
        #expect([directory, own, shared, kept].allSatisfy(world.kernel.keeps))
        try await release(world, event)
        await world.finish()
        #expect(world.kernel.keeps(kept))
        #expect(![directory, own, shared].contains(where: world.kernel.keeps))
        #expect(try await world.status(shared).mode == 0o600)
        await #expect(throws: FilesystemError.self) { try await world.status(own) }
    }

    /// A program that lists has not asked who owns what.
    @Test func aDirectoryThatWasListedAloneIsListedAgain() async throws {
        let world = try await makeWorld(cache: .watch)
        let directory = try await world.lookup("d").attributes.inode
        let handle = try await world.filesystem.openDirectory(directory, by: caller)
        _ = try await world.filesystem.list(handle, offset: 0) { _ in true }
        world.filesystem.releaseDirectory(handle)
        _ = try await world.status(directory)
        #expect(world.kernel.keeps(directory))
        try await release(world, "@releaseDomain/5")
        #expect(!world.kernel.keeps(directory))
    }

    @Test(arguments: ["@releaseDomain", "@releaseDomain/5"])
    func inotifyTellsOfWhatIsGoneAndOfPermissions(event: String) async throws {
        let world = try await makeWorld(cache: .strict, mayWatch: true)
        let directory = try await world.lookup("d").attributes.inode
        for name in ["own", "dir", "other"] {
            _ = try await world.filesystem.lookup(name, in: directory, by: caller)
        }
        _ = try await world.lookup("shared")
        let before = await makeCalls(world).count
        try await release(world, event)
        await world.finish()
        let calls = await makeCalls(world).dropFirst(before).sorted()
        #expect(calls == ["attrib shared", "rmdir d/dir", "unlink d/dir/k", "unlink d/own"])
    }

    @Test func theFirstEventOfTheWatchTellsNothing() async throws {
        let world = try await makeWorld(cache: .watch, isWatched: false)
        let kept = try await world.lookup("kept").attributes.inode
        _ = try await world.status(kept)
        _ = try await world.other.send(.release(DomainID(2)), in: .none)
        world.tell(of: "@releaseDomain")
        await world.finish()
        #expect(world.kernel.keeps(kept))
        world.tell(of: "@releaseDomain")
        await world.finish()
        #expect(!world.kernel.keeps(kept))
    }
}
