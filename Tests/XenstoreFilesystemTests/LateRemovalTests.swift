import Testing
import XenstoreFilesystem
import XenstoreProtocol

/// What was found out about a change may be out of date when it is told: another client, or this
/// mount, has changed the key again. Nothing that is there may be taken away by that.
@MainActor
@Suite(.timeLimit(.minutes(1))) struct LateRemovalTests {
    // MARK: Asked while this mount renames

    /// A store may send the first event of a commit before the rest. What it is asked then it
    /// answers after the commit, and the answer may come after that of the commit.
    @Test func whatWasAskedWhileARenameWasUnderWayIsAskedAgain() async throws {
        let world = try await World(["/a": "0", "/a/x": "1", "/b": "2"])
        for name in ["a", "b"] { _ = try await world.lookup(name) }
        let path = try XenstorePath.root.appending("a")
        let rename = try await world.exchange("a", "b", until: path, is: "2")
        world.tell(of: "/b")
        world.begin()
        while !world.access.isAskedTwice { await Task.yield() }
        await world.release()
        try await rename.value
        await world.finish()
        #expect(world.calls.isEmpty)
    }

    /// What was asked at the old place is of the key that is there now.
    @Test func aDirectoryThatIsMovedWhileItIsAskedForStaysOne() async throws {
        let world = try await World(["/b/k": "1", "/c/k": "", "/c/k/x": "1"])
        let filesystem = world.filesystem
        let caller = CallerID(rawValue: 3)
        _ = try await world.lookup("b")
        let parent = try await world.lookup("c").attributes.inode
        let old = try await filesystem.lookup("k", in: parent, by: caller).attributes
        #expect(old.kind == .directory)
        try await world.remove("/c/k/x")
        try await world.change(at: "/c/k/x")
        let path = try XenstorePath.root.appending("c").appending("k")
        let rename = try await world.exchange("b", "c", until: path, is: "1")
        world.tell(of: "/c/k")
        world.begin()
        while !world.access.isAskedTwice { await Task.yield() }
        await world.release()
        try await rename.value
        await world.finish()
        let new = try await filesystem.lookup("k", in: parent, by: caller).attributes
        #expect((new.kind, new.inode) == (.directory, old.inode))
    }

    // MARK: Removed directories

    @Test func aDirectoryThatIsGoneIsRemoved() async throws {
        let world = try await World(["/d/x": "1"])
        let old = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        #expect(world.calls == ["unlink d/x", "rmdir d"])
        try await world.removeDirectory("d")
        await #expect(throws: FilesystemError.noEntry) { try await world.lookup("d") }
        // The kernel has ended the old one for good.
        try await world.write("", to: "/d/x")
        #expect(try await world.lookup("d").attributes.inode != old.attributes.inode)
    }

    /// A program may be on its way into it, and would be told ENOENT by the kernel.
    @Test func aDirectoryThatIsThereAgainIsNotRemoved() async throws {
        let world = try await World(["/d/x": "1"])
        let old = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        try await world.write("", to: "/d/x")
        await #expect(throws: FilesystemError.busy) { try await world.removeDirectory("d") }
        #expect(try await world.lookup("d").attributes.inode == old.attributes.inode)
    }

    @Test func aFileThatIsADirectoryAgainIsNotRemovedAsOne() async throws {
        let world = try await World(["/d": "1", "/d/x": "1"])
        let old = try await world.lookup("d")
        try await world.remove("/d/x")
        try await world.change(at: "/d/x")
        world.filesystem.inotifyReplay.agentIsDone()
        #expect(world.calls.contains("rmdir d"))
        try await world.write("", to: "/d/y")
        await #expect(throws: FilesystemError.busy) { try await world.removeDirectory("d") }
        try await world.change(at: "/d/y")
        #expect(try await world.lookup("d").attributes.inode == old.attributes.inode)
    }

    /// The kernel has two directories locked while it waits.
    @Test func aSlowStoreKeepsNobodyFromTheDirectory() async throws {
        let world = try await World(["/d/x": "1"])
        _ = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        world.access.isHeld = true
        let call = world.begin { () throws(FilesystemError) in
            try await world.removeDirectory("d")
        }
        while !world.access.isAsked { await Task.yield() }
        world.passTime()
        #expect(await call.value == .busy)
        world.filesystem.inotifyReplay.agentIsDone()
        // It is told later.
        await world.release()
        await world.finish()
        #expect(world.calls.dropFirst() == ["rmdir d", "rmdir d"])
        try await world.removeDirectory("d")
    }

    /// The kernel locks it, too, until its removal is answered: invalidations of names in it must
    /// wait.
    @Test func aDirectoryIsKnownByItsNames() async throws {
        let world = try await World(["/d/x": "1"], isListed: false)
        let known = { name in world.filesystem.knownDirectory(name, in: .root) }
        #expect(known("d") == nil)
        let inode = try await world.lookup("d").attributes.inode
        #expect(known("d") == inode)
        #expect(known("d.dir") == inode)
        #expect(known("key") == nil)
        #expect(known(".value") == nil)
    }

    /// Their answer says nothing about it.
    @Test func aDirectoryIsRemovedWhileOtherKeysAreAskedFor() async throws {
        let world = try await World(["/d/x": "1"])
        _ = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        world.access.isHeld = true
        await world.change()
        let call = world.begin { () throws(FilesystemError) in
            try await world.removeDirectory("d")
        }
        while !world.access.isAskedTwice { await Task.yield() }
        await world.release()
        #expect(await call.value == nil)
    }

    /// The kernel may have forgotten it long before, and only the removal above it is told.
    @Test(arguments: [true, false])
    func aDirectoryBelowWhatIsGoneIsOneNoMore(isKnown: Bool) async throws {
        let world = try await World(["/c/a/x": "1"])
        let filesystem = world.filesystem
        let caller = CallerID(rawValue: 3)
        let parent = try await world.lookup("c").attributes.inode
        let entry = try await filesystem.lookup("a", in: parent, by: caller)
        #expect(entry.attributes.kind == .directory)
        filesystem.forget(entry.attributes.inode, count: 1)
        if !isKnown { filesystem.forget(parent, count: 1) }
        try await world.remove("/c")
        try await world.change(at: "/c")
        try await world.write("", to: "/c/a")
        try await world.change(at: "/c/a")
        let again = try await world.lookup("c").attributes.inode
        #expect(try await filesystem.lookup("a", in: again, by: caller).attributes.kind == .file)
    }

    /// What was told of its children then says nothing of those that it has when the kernel gets to
    /// know it again: a name of it could be a file to the kernel from then on.
    @Test func whatAForgottenDirectoryHadIsNotTold() async throws {
        let world = try await World(["/d/c": "1"], mayWatch: true)
        let directory = try await world.lookup("d").attributes.inode
        // Its own value keeps the key.
        _ = try await world.lookup("d.value")
        world.filesystem.forget(directory, count: .max)
        try await world.remove("/d")
        try await world.write("2", to: "/d/c/b")
        try await world.change(at: "/d")
        try await world.change(at: "/d/c/b")
        let calls = world.calls
        _ = try await world.lookup("d")
        try await world.write("3", to: "/d/c")
        try await world.change(at: "/d/c")
        #expect(world.calls == calls)
    }

    /// A write makes the keys above it along, and there is one event, that of the write. What is in
    /// memory alone would be taken for gone with a directory that is there.
    @Test func aDirectoryThatAWriteBelowMadeAgainIsThere() async throws {
        let world = try await World(["/d/c/x": "1"])
        let filesystem = world.filesystem
        let caller = CallerID(rawValue: 3)
        let parent = try await world.lookup("d").attributes.inode
        // The kernel keeps both numbers: they are somebody's working directory.
        _ = try await filesystem.lookup("c", in: parent, by: caller)
        try await world.remove("/d/c")
        try await world.change(at: "/d/c")
        _ = try await world.lookup("d")
        try await world.write("2", to: "/d/c/x")
        try await world.change(at: "/d/c/x")
        let directory = try await filesystem.lookup("c", in: parent, by: caller).attributes.inode
        let (file, handle) = try await filesystem.create(
            ".s",
            in: directory,
            .write,
            mode: 0o600,
            by: caller
        )
        await filesystem.release(handle)
        _ = try await world.lookup("d")
        let found = try await filesystem.lookup(".s", in: directory, by: caller)
        #expect(found.attributes.inode == file.attributes.inode)
    }

    // MARK: Open files

    /// For ENOENT the kernel would not create the file that a program asks for by O_CREAT.
    @Test func eachThreadIsToldToLookAgain() async throws {
        let world = try await World()
        let inode = try await world.lookup("key").attributes.inode
        try await world.remove("/key")
        func open(by caller: Int32) async -> FilesystemError? {
            await world.begin { () throws(FilesystemError) in
                let caller = CallerID(rawValue: caller)
                _ = try await world.filesystem.open(inode, .write, by: caller)
            }.value
        }
        #expect(await open(by: 1) == .stale)
        #expect(await open(by: 2) == .stale)
        // It has found nothing, and would find nothing again.
        #expect(await open(by: 2) == .noEntry)
        await #expect(throws: FilesystemError.noEntry) {
            try await world.filesystem.lookup("key", in: .root, by: CallerID(rawValue: 2))
        }
        #expect(await open(by: 2) == .stale)
    }

    /// As every file that is open: the next write makes the key anew.
    /// O_CREAT finds it there, and then gone.
    @Test func whatIsRemovedWhileItIsCreatedIsCreated() async throws {
        let world = try await World(["/k": "1"], isListed: false)
        world.access.holdsAnswers = true
        let call = Task {
            try await world.filesystem.create(
                "k",
                in: .root,
                .write,
                mode: 0o600,
                by: CallerID(rawValue: 3)
            )
        }
        while !world.access.isAsked { await Task.yield() }
        try await world.remove("/k")
        await world.release()
        let (_, handle) = try await call.value
        try await world.filesystem.write(Array("2".utf8), to: handle, offset: 0)
        let path = try XenstorePath.root.appending("k")
        #expect(try await world.other.read(path) == Array("2".utf8))
        await world.filesystem.release(handle)
    }

    @Test func aScratchFileThatBecameAKeyIsWrittenToAfterItsRemoval() async throws {
        let world = try await World(["/d/x": "1"])
        let filesystem = world.filesystem
        let caller = CallerID(rawValue: 3)
        let directory = try await world.lookup("d").attributes.inode
        let (_, handle) = try await filesystem.create(
            ".s",
            in: directory,
            .write,
            mode: 0o600,
            by: caller
        )
        try await filesystem.write(Array("2".utf8), to: handle, offset: 0)
        try await filesystem.rename(
            ".s",
            in: directory,
            to: "x",
            in: directory,
            .replace,
            by: CallerID(rawValue: 3)
        )
        _ = try await filesystem.lookup("x", in: directory, by: caller)
        try await world.remove("/d")
        try await world.change(at: "/d")
        #expect(world.calls == ["unlink d/x", "rmdir d"])
        try await filesystem.inotifyReplay.unlink("x", in: directory)
        try await world.removeDirectory("d")
        try await filesystem.write(Array("3".utf8), to: handle, offset: 0)
        let path = try XenstorePath.root.appending("d").appending("x")
        #expect(try await world.other.read(path) == Array("3".utf8))
        await filesystem.release(handle)
    }

    // MARK: Seen meanwhile

    @Test func whatWasSeenAndIsGoneIsToldLater() async throws {
        let world = try await World(["/d/x": "1"])
        _ = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        try await world.write("", to: "/d/x")
        _ = try await world.lookup("d")
        try await world.remove("/d")
        try await world.change(at: "/d")
        await #expect(throws: FilesystemError.busy) { try await world.removeDirectory("d") }
        world.filesystem.inotifyReplay.agentIsDone()
        await world.finish()
        #expect(world.calls.dropFirst() == ["rmdir d", "rmdir d"])
        try await world.removeDirectory("d")
    }

    /// The answer to a program comes after the question about the change is sent.
    @Test func whatIsSeenBeforeItGoesIsTold() async throws {
        let world = try await World()
        world.access.holdsAnswers = true
        let lookup = Task { try await world.lookup("key") }
        while !world.access.isAsked { await Task.yield() }
        try await world.other.remove(world.path)
        world.filesystem.changed(world.path)
        world.begin()
        while !world.access.isAskedTwice { await Task.yield() }
        await world.release()
        _ = try await lookup.value
        world.filesystem.inotifyReplay.agentIsDone()
        await world.finish()
        #expect(world.calls.last == "unlink key")
    }
}
