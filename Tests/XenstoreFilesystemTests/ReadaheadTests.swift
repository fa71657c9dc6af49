import Testing
import XenstoreFilesystem
import XenstoreProtocol

/// What a program does with one directory it does with the next: the store is asked for it in one
/// round trip, and nothing that a program is given is older for that.
@MainActor
@Suite struct ReadaheadTests {
    private let caller = CallerID(rawValue: 3)

    /// Ten devices of a guest, with four keys and a directory each.
    private static let tree: [String: String] = {
        var values: [String: String] = [:]
        for device in 0..<10 {
            for key in ["state", "mac", "handle", "backend"] {
                values["/device/\(device)/\(key)"] = "\(key) \(device)"
            }
            values["/device/\(device)/queue/ring"] = "\(device)"
        }
        return values
    }()
    /// `/`, `/tool` with the empty `/tool/xenstored`, `/device`, and two for each device.
    private static let directoryCount = 24

    // MARK: Round trips

    @Test func aProgramThatReadsAllFilesWaitsOnceForEachDirectory() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        #expect(try await walk.read(.root, statsDirectories: true) == 51)
        // The first directories teach what it does.
        #expect(world.access.sent.count - walk.sentBefore <= Self.directoryCount * 13 / 10)
    }

    @Test func aProgramThatLooksAtAllWaitsOnceForEachDirectory() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        #expect(try await walk.look(.root) == 74)
        #expect(world.access.sent.count - walk.sentBefore <= Self.directoryCount * 13 / 10)
    }

    @Test func theSecondWalkWaitsNoMoreThanTheFirst() async throws {
        let world = try await World(Self.tree, isListed: false)
        _ = try await Program(world, caller).read(.root, statsDirectories: true)
        let walk = Program(world, CallerID(rawValue: 4))
        #expect(try await walk.read(.root, statsDirectories: true) == 51)
        #expect(world.access.sent.count - walk.sentBefore <= Self.directoryCount * 13 / 10)
    }

    /// A program that wants types alone, as `find -type f` does, is read no values for.
    @Test func aProgramThatListsAloneAsksForNoValues() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        try await walk.list(.root)
        let sent = world.access.sent.dropFirst(walk.sentBefore)
        #expect(sent.count <= Self.directoryCount * 13 / 10)
        let reads = sent.joined().filter { $0.type == .read }
        #expect(reads.count <= Self.directoryCount + FilesystemLimits.readaheadInitial)
    }

    /// One that has stopped to read files is not read ahead for.
    @Test func whatIsWastedIsNotAskedForAgain() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        _ = try await walk.read(.root, statsDirectories: true)
        try await walk.list(.root)
        let before = world.access.sent.count
        try await walk.list(.root)
        let reads = world.access.sent.dropFirst(before).joined().filter { $0.type == .read }
        // Beside them, the root is looked at, and the empty key may have a value.
        #expect(reads.count <= Self.directoryCount + 2)
    }

    // MARK: Freshness

    @Test func whatHasChangedIsAskedForAgain() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        _ = try await walk.read(.root, statsDirectories: true)
        let directory = try await walk.open("device/5")
        let files = try await walk.entries(directory)
        try await world.write("new", to: "/device/5/mac")
        world.tell(of: "/device/5/mac")
        #expect(try await walk.content(of: try #require(files["mac"])) == "new\n")
    }

    @Test func whatIsOldIsAskedForAgain() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        _ = try await walk.read(.root, statsDirectories: true)
        let directory = try await walk.open("device/5")
        let files = try await walk.entries(directory)
        // Its event is still to come.
        try await world.write("new", to: "/device/5/mac")
        world.elapsed += FilesystemLimits.readaheadLifetime
        #expect(try await walk.content(of: try #require(files["mac"])) == "new\n")
    }

    @Test func aDirectoryIsOpenedAsItIsAfterAChange() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        _ = try await walk.read(.root, statsDirectories: true)
        let parent = try await walk.open("device")
        let inode = try #require(try await walk.entries(parent)["5"])
        _ = try await world.filesystem.attributes(of: inode, by: caller)
        try await world.write("1", to: "/device/5/new")
        world.tell(of: "/device/5/new")
        let directory = try await world.filesystem.openDirectory(inode, by: caller)
        #expect(try await walk.entries(directory)["new"] != nil)
    }

    @Test func whatIsReadAheadIsNotForOtherThreads() async throws {
        let world = try await World(Self.tree, isListed: false)
        let walk = Program(world, caller)
        _ = try await walk.read(.root, statsDirectories: true)
        let directory = try await walk.open("device/5")
        let file = try #require(try await walk.entries(directory)["mac"])
        // Its event is still to come.
        try await world.write("new", to: "/device/5/mac")
        #expect(try await Program(world, CallerID(rawValue: 9)).content(of: file) == "new\n")
    }
}

/// A program that goes through directories, as fts(3) does: it has each open until it is through.
@MainActor
private struct Program {
    let world: World
    let caller: CallerID
    /// What had been sent when it began.
    let sentBefore: Int

    init(_ world: World, _ caller: CallerID) {
        (self.world, self.caller, sentBefore) = (world, caller, world.access.sent.count)
    }

    private var filesystem: Filesystem<SlowAccess> { world.filesystem }

    /// Opens the directory at a path, as a walk comes to it.
    func open(_ path: String) async throws -> HandleID {
        var inode = InodeNumber.root
        for name in path.split(separator: "/") {
            inode = try await filesystem.lookup(String(name), in: inode, by: caller)
                .attributes.inode
        }
        _ = try await filesystem.attributes(of: inode, by: caller)
        return try await filesystem.openDirectory(inode, by: caller)
    }

    func entries(_ directory: HandleID) async throws -> [String: InodeNumber] {
        Dictionary(
            uniqueKeysWithValues: try await list(directory).map { ($0.name, $0.inode) }
        )
    }

    private func list(
        _ directory: HandleID
    ) async throws -> [(name: String, inode: InodeNumber, kind: FileKind)] {
        try await filesystem.list(directory, offset: 0) { _ in true }.compactMap { entry in
            guard !entry.name.hasPrefix(".") else { return nil }
            switch entry.target {
            case .entry(let found):
                return (entry.name, found.attributes.inode, found.attributes.kind)
            case .known(let inode, let kind): return (entry.name, inode, kind)
            case .unknown: return nil
            }
        }
    }

    func content(of inode: InodeNumber) async throws -> String {
        let handle = try await filesystem.open(inode, .read, by: caller)
        let bytes = try filesystem.read(handle, offset: 0, count: 4096)
        await filesystem.release(handle)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads all files, as `grep -r` does.
    ///
    /// - Returns: how many there were.
    func read(_ directory: InodeNumber, statsDirectories: Bool) async throws -> Int {
        if statsDirectories { _ = try await filesystem.attributes(of: directory, by: caller) }
        let handle = try await filesystem.openDirectory(directory, by: caller)
        defer { filesystem.releaseDirectory(handle) }
        _ = try await filesystem.attributes(of: directory, by: caller)
        var count = 0
        for (_, inode, kind) in try await list(handle) {
            if kind == .directory {
                count += try await read(inode, statsDirectories: statsDirectories)
            } else {
                _ = try await content(of: inode)
                count += 1
            }
        }
        return count
    }

    /// Looks at all files and directories, as `ls -lR` does.
    ///
    /// - Returns: how many there were.
    func look(_ directory: InodeNumber) async throws -> Int {
        let handle = try await filesystem.openDirectory(directory, by: caller)
        _ = try await filesystem.attributes(of: directory, by: caller)
        let entries = try await list(handle)
        for (_, inode, _) in entries { _ = try await filesystem.attributes(of: inode, by: caller) }
        filesystem.releaseDirectory(handle)
        var count = entries.count
        for (_, inode, kind) in entries where kind == .directory { count += try await look(inode) }
        return count
    }

    /// Lists all directories, as `find -type f` does.
    func list(_ directory: InodeNumber) async throws {
        _ = try await filesystem.attributes(of: directory, by: caller)
        let handle = try await filesystem.openDirectory(directory, by: caller)
        _ = try await filesystem.attributes(of: directory, by: caller)
        for (_, inode, kind) in try await list(handle) where kind == .directory {
            try await list(inode)
        }
        filesystem.releaseDirectory(handle)
    }
}
