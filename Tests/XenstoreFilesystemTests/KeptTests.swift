import FilesystemScenarios
import Testing
import XenstoreFilesystem
import XenstoreProtocol
import XenstoreStore

/// With `cache=watch` the kernel keeps what it was given until it is made to drop it: whatever
/// changes a key must reach all that is kept of it, by whichever of its names.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct KeptTests {
    private let caller = CallerID(rawValue: 3)

    // MARK: Attributes

    /// The agent has given the kernel the file's attributes, and the directory's were kept.
    @Test func aCallOnTheValueEndsWhatIsKeptOfItsDirectory() async throws {
        let world = try await World(["/d": "v", "/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let directory = try await world.lookup("d").attributes.inode
        let value = try await filesystem.lookup(".value", in: directory, by: caller)
            .attributes.inode
        try await world.write("w", to: "/d")
        try await world.change(at: "/d")
        #expect(world.calls == ["modify d/.value"])
        _ = try await world.status(directory)
        #expect(world.kernel.keeps(directory))
        _ = try await filesystem.inotifyReplay.setAttributes(
            AttributeChanges(),
            of: value,
            handle: nil
        )
        filesystem.inotifyReplay.agentIsDone()
        _ = try await filesystem.setAttributes(
            AttributeChanges(mode: 0o644),
            of: value,
            handle: nil
        )
        #expect(try await world.status(directory).mode == 0o755)
    }

    /// The kernel takes the size of a file from there, and cuts what it reads at it.
    @Test func aCallGivesTheSizeThatIsKept() async throws {
        let world = try await World(cache: .watch)
        let key = try await world.lookup("key").attributes.inode
        try await world.write("longer", to: "/key")
        try await world.change(at: "/key")
        #expect(world.calls == ["modify key"])
        // Its event is to come.
        try await world.write("x", to: "/key")
        #expect(try await world.status(key).size == 2)
        #expect(world.kernel.keeps(key))
        #expect(
            try await world.filesystem.inotifyReplay.setAttributes(
                AttributeChanges(),
                of: key,
                handle: nil
            ).size == 2
        )
    }

    /// What is known of it is that it was gone.
    @Test func aCallGivesNoSizeOfAKeyThatWasMadeAgain() async throws {
        let world = try await World(cache: .watch)
        try await world.remove("/key")
        try await world.change(at: "/key")
        world.filesystem.inotifyReplay.agentIsDone()
        #expect(world.calls == ["modify key", "unlink key"])
        try await world.write("new", to: "/key")
        _ = try await world.lookup("key")
        await #expect(throws: FilesystemError.interrupted) {
            try await world.filesystem.inotifyReplay.lookup("key", in: .root, by: .nobody)
        }
        world.filesystem.inotifyReplay.agentIsDone()
        await world.finish()
        #expect(!world.calls.dropFirst(2).contains("unlink key"))
    }

    /// What the agent is sent to make may be there in another shape.
    @Test func aCallGivesNoSizeOfAKeyOfAnotherShape() async throws {
        let world = try await World(cache: .watch)
        try await world.write("", to: "/d/x")
        try await world.change(at: "/d/x")
        #expect(world.calls == ["mkdir d"])
        try await world.remove("/d")
        try await world.write("new", to: "/d")
        #expect(try await world.lookup("d").attributes.kind == .file)
        await #expect(throws: FilesystemError.interrupted) {
            try await world.filesystem.inotifyReplay.lookup("d", in: .root, by: .nobody)
        }
    }

    /// The kernel knows it without having looked it up.
    @Test func whatOthersChangeOfTheRootIsSeen() async throws {
        let world = try await World(cache: .watch)
        #expect(try await world.status(.root).mode == 0o700)
        #expect(world.kernel.keeps(.root))
        let permissions = Permissions(owner: .privileged, everyone: .read)
        try await world.other.setPermissions(permissions, of: .root)
        try await world.change(at: "/")
        #expect(try await world.status(.root).mode == 0o755)
    }

    /// The store is not asked for it, and tells nobody.
    @Test func aTimeOfMemoryAloneIsSeenByAllNamesOfAKey() async throws {
        let world = try await World(["/d": "v", "/d/x": "1"], cache: .watch)
        let directory = try await world.lookup("d").attributes.inode
        let value = try await world.filesystem.lookup(".value", in: directory, by: caller)
            .attributes.inode
        _ = try await world.status(directory)
        #expect(world.kernel.keeps(directory))
        let time = Timestamp(seconds: 1000, nanoseconds: 0)
        _ = try await world.filesystem.setAttributes(
            AttributeChanges(modified: time),
            of: value,
            handle: nil
        )
        #expect(!world.kernel.keeps(value) && !world.kernel.keeps(directory))
        #expect(try await world.status(value).modified == time)
        #expect(try await world.status(directory).modified != time)
    }

    /// A store may send all events of a commit before its answer. What it is asked between the two
    /// is of the key that has the path then, and may come when another has it.
    @Test func whatWasToldDuringAnExchangeIsNotKept() async throws {
        let world = try await World(["/a": "1", "/b": "22"], cache: .watch)
        let first = try await world.lookup("a").attributes.inode
        _ = try await world.lookup("b")
        let path = try XenstorePath.root.appending("a")
        let rename = try await world.exchange("a", "b", until: path, is: "22")
        for path in ["/a", "/b"] { world.tell(of: path) }
        let status = Task { try await world.status(first) }
        while !world.access.isAskedTwice { await Task.yield() }
        await world.release()
        try await rename.value
        _ = try await status.value
        #expect(try await world.status(first).size == 2)
    }

    /// The number that the kernel has for it is another one than that of the key now.
    @Test func aFileThatIsOpenWhileItsKeyChangesItsShapeIsNotKept() async throws {
        let world = try await World(["/d": "v", "/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let directory = try await world.lookup("d").attributes.inode
        let value = try await filesystem.lookup(".value", in: directory, by: caller)
            .attributes.inode
        let handle = try await filesystem.open(value, .write, by: caller)
        try await world.remove("/d/x")
        try await world.change(at: "/d/x")
        while !world.calls.contains("rmdir d") { filesystem.inotifyReplay.agentIsDone() }
        try await world.removeDirectory("d")
        #expect(try await world.status(value).size == 2)
        try await world.write("longer", to: "/d")
        try await world.change(at: "/d")
        #expect(try await world.status(value).size == 7)
        await filesystem.release(handle)
    }

    /// The kernel has forgotten it, too.
    @Test func whatWasKeptOfAForgottenKeyIsKeptNoMore() async throws {
        let world = try await World(["/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let (key, directory) = (
            try await world.lookup("key").attributes.inode,
            try await world.lookup("d").attributes.inode
        )
        _ = try await world.status(key)
        filesystem.releaseDirectory(try await filesystem.openDirectory(directory, by: caller))
        for inode in [key, directory] { filesystem.forget(inode, count: .max) }
        world.kernel.forgetAll()
        #expect(try await world.lookup("key").attributes.inode == key)
        #expect(try await world.lookup("d").attributes.inode == directory)
        let handle = try await filesystem.open(key, .read, by: caller)
        #expect(filesystem.caching(of: handle) == .none)
        await filesystem.release(handle)
        let listing = try await filesystem.openDirectory(directory, by: caller)
        #expect(filesystem.listingCaching(of: listing) == .fresh)
        filesystem.releaseDirectory(listing)
    }

    // MARK: Listings

    /// What it reads, the kernel would keep as the listing that was opened later.
    @Test func whatAnOlderListingReadsIsNotKept() async throws {
        let world = try await World(["/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let directory = try await world.lookup("d").attributes.inode
        func open() async throws -> (HandleID, Caching) {
            let handle = try await filesystem.openDirectory(directory, by: caller)
            return (handle, filesystem.listingCaching(of: handle))
        }
        let (older, caching) = try await open()
        #expect(caching == .fresh)
        try await world.write("2", to: "/d/y")
        try await world.change(at: "/d/y")
        let (newer, newerCaching) = try await open()
        #expect(newerCaching == .none)
        filesystem.releaseDirectory(older)
        filesystem.releaseDirectory(newer)
        for expected in [Caching.fresh, .kept] {
            let (handle, caching) = try await open()
            #expect(caching == expected)
            filesystem.releaseDirectory(handle)
        }
    }

    /// It says of each name whether it is a file or a directory.
    @Test(arguments: [true, false])
    func aListingIsNotKeptWhereAChildChangesItsShape(isOwn: Bool) async throws {
        let world = try await World(["/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let directory = try await world.lookup("d").attributes.inode
        _ = try await filesystem.lookup("x", in: directory, by: caller)
        func open() async throws -> Caching {
            let handle = try await filesystem.openDirectory(directory, by: caller)
            defer { filesystem.releaseDirectory(handle) }
            return filesystem.listingCaching(of: handle)
        }
        #expect(try await open() == .fresh)
        #expect(try await open() == .kept)
        let inside = try await filesystem.lookup("x.dir", in: directory, by: caller)
            .attributes.inode
        if isOwn {
            _ = try await filesystem.makeDirectory("y", in: inside, by: caller)
        } else {
            try await world.write("", to: "/d/x/y")
            try await world.change(at: "/d/x/y")
        }
        _ = try await filesystem.lookup("x", in: directory, by: caller)
        #expect(try await open() == .fresh)
        #expect(try await open() == .kept)
        // It has a value, and is a file again.
        try await world.remove("/d/x/y")
        world.tell(of: "/d/x/y")
        #expect(try await open() != .kept)
    }

    /// It comes without an event.
    @Test func aListingWithoutAScratchFileIsNotKept() async throws {
        let world = try await World(["/d/x": "1"], cache: .watch)
        let filesystem = world.filesystem
        let directory = try await world.lookup("d").attributes.inode
        func open() async throws -> Caching {
            let handle = try await filesystem.openDirectory(directory, by: caller)
            return filesystem.listingCaching(of: handle)
        }
        #expect(try await open() == .fresh)
        #expect(try await open() == .kept)
        _ = try await filesystem.create(
            ".s",
            in: directory,
            .write,
            mode: 0o600,
            by: caller
        )
        #expect(try await open() == .none)
    }

    // MARK: Transactions

    /// What a transaction of this mount has changed is seen when it is committed, before the store
    /// tells of it.
    @Test(arguments: [FilesystemOptions.Cache.strict, .watch])
    func whatACommitChangesIsSeenAtOnce(cache: FilesystemOptions.Cache) async throws {
        let host = StoreHost(store: Store())
        let other = InProcessConnection(host: host)
        let path = try XenstorePath.root.appending("key")
        try await other.write(Array("old".utf8), to: path)
        let kernel = Kernel()
        let mount = MountedFilesystem(
            InProcessConnection(host: host),
            options: FilesystemOptions(cache: cache),
            environment: FilesystemEnvironment(
                now: { Timestamp(seconds: 1, nanoseconds: 0) },
                elapsed: { .zero },
                start: { work in Task { await work() } },
                later: { work in work() },
                invalidate: { invalidation, _ in kernel.take(invalidation) },
                report: { text in Issue.record("\(text)") },
                takeEvents: { true }
            )
        )
        await mount.connected()
        let store = mount.storeFilesystem
        let key = try await store.lookup("key", in: .root, by: caller).attributes.inode
        func status() async throws -> Attributes {
            try await kernel.status(key) { () throws(FilesystemError) in
                try await store.attributes(of: key, by: caller)
            }
        }
        #expect(try await status().mode == 0o600)
        #expect(kernel.keeps(key) == (cache == .watch))
        let control = try mount.asked(.lookup, .name(".txn", in: .root))
        let all = try await control.lookup(".txn", in: .root, by: caller).attributes.inode
        let root = try await control.makeDirectory("t", in: all, by: caller).attributes.inode
        let inside = try mount.asked(.lookup, .name("key", in: root))
        let inner = try await inside.lookup("key", in: root, by: caller).attributes.inode
        let handle = try await inside.open(inner, .write, by: caller)
        try await inside.write(Array("newer\n".utf8), to: handle, offset: 0)
        await inside.release(handle)
        _ = try await inside.setAttributes(AttributeChanges(mode: 0o644), of: inner, handle: nil)
        #expect(try await status().size == 4)
        try await control.rename("t", in: all, to: "commit", in: all, .replace, by: caller)
        await store.invalidationBarrier()
        #expect(try await status().size == 6)
        #expect(try await status().mode == 0o644)
    }
}

/// A kernel that keeps the attributes that it may.
@MainActor
final class Kernel {
    private var kept: [InodeNumber: Attributes] = [:]

    /// What a program is told by stat(2).
    func status(
        _ inode: InodeNumber,
        _ ask: () async throws(FilesystemError) -> Attributes
    ) async throws(FilesystemError) -> Attributes {
        if let kept = kept[inode] { return kept }
        let told = try await ask()
        if told.lifetime > 0 { kept[inode] = told }
        return told
    }

    func keeps(_ inode: InodeNumber) -> Bool { kept[inode] != nil }

    func forgetAll() { kept = [:] }

    /// It is to forget something.
    func take(_ invalidation: Invalidation) {
        if case .inode(let inode) = invalidation { kept[inode] = nil }
    }
}
