import XenstoreFilesystem
import XenstoreProtocol

/// The times of `/t/d/k` and of `/t/d` that something moves, as the table of the contract has them.
private struct Moves: OptionSet {
    let rawValue: UInt8

    /// st_mtime and st_ctime of the key.
    static let value: Moves = [.valueModified, .status]
    static let valueModified = Moves(rawValue: 1)
    /// st_ctime of the key.
    static let status = Moves(rawValue: 2)
    /// st_mtime and st_ctime of the directory.
    static let list: Moves = [.listModified, .listStatus]
    static let listModified = Moves(rawValue: 4)
    static let listStatus = Moves(rawValue: 8)
}

extension Scenario {
    static let times: [Scenario] = ownTimes + othersTimes + setTimes + valueTimes

    private static let ownTimes: [Scenario] = [
        moving("write(2) moves the time of the value", .value) { fs in
            try await fs.write("new", to: "/t/d/k")
        },
        moving("An append moves the time of the value", .value) { fs in
            try await fs.append("more", to: "/t/d/k")
        },
        moving("truncate(2) moves the time of the value", .value) { fs in
            try await fs.truncate("/t/d/k", to: 1)
        },
        moving("Emptying a file moves the time of the value", .value) { fs in
            try await fs.write("", to: "/t/d/k")
        },
        moving("Setting the value's attribute moves its time", .value) { fs in
            try await fs.setAttribute("user.xenstore.value", to: [1], of: "/t/d/k")
        },
        moving("Reading moves no time", []) { fs in
            _ = try await fs.text("/t/d/k")
            _ = try await fs.names("/t/d")
            _ = try await fs.attribute("user.xenstore.perms", of: "/t/d/k")
        },
        moving("chmod moves st_ctime alone", .status) { fs in
            try await fs.setMode(0o644, of: "/t/d/k")
        },
        moving("chmod to what it is moves st_ctime, too", .status) { fs in
            try await fs.setMode(0o600, of: "/t/d/k")
        },
        moving("chown moves st_ctime alone", .status) { fs in
            try await fs.setOwner(3, of: "/t/d/k")
        },
        moving("Setting permissions moves st_ctime alone", .status) { fs in
            try await fs.setAttribute("user.xenstore.perms", to: Array("r0".utf8), of: "/t/d/k")
        },
        moving("chmod of a directory moves its st_ctime alone", .listStatus) { fs in
            try await fs.setMode(0o755, of: "/t/d")
        },
        moving(
            "mv moves st_ctime alone, and the times of its directory",
            [.status, .list],
            "/t/d/k2"
        ) { fs in
            try await fs.rename("/t/d/k", to: "/t/d/k2", .replace)
        },
        moving("mv to another directory moves the times of both", [.status, .list], "/t/e/k") {
            fs in
            let old = try await fs.times("/t/e")
            try await fs.rename("/t/d/k", to: "/t/e/k", .replace)
            try expect(try await fs.times("/t/e").modified > old.modified, true)
        },
        moving("An exchange of names moves st_ctime alone", [.status, .list], "/t/d/other") { fs in
            try await fs.rename("/t/d/k", to: "/t/d/other", .exchange)
        },
        moving("What is made in a directory moves its times", .list) { fs in
            try await fs.write("1", to: "/t/d/new")
        },
        moving("mkdir moves the times of the directory", .list) { fs in
            try await fs.makeDirectory("/t/d/new")
        },
        moving("unlink moves the times of the directory", .list) { fs in
            try await fs.unlink("/t/d/other")
        },
        moving("rmdir moves the times of the directory", .list) { fs in
            try await fs.removeDirectory("/t/d/empty")
        },
        moving("A write to another file moves no time of the directory", []) { fs in
            try await fs.write("new", to: "/t/d/other")
            try await fs.append("more", to: "/t/d/sub/x")
        },
        moving("A scratch file moves the times of the directory", .list) { fs in
            try await fs.write("1", to: "/t/d/.scratch")
        },
    ]

    private static let othersTimes: [Scenario] = [
        moving("A value that others write moves its time", .value) { fs in
            try await fs.put("new", at: "/t/d/k")
        },
        moving("The same value that others write again moves its time", .value, needsEvents: true) {
            fs in
            try await fs.put("old", at: "/t/d/k")
        },
        moving("Permissions that others set move st_ctime alone", .status) { fs in
            try await fs.setPermissions("r0", of: "/t/d/k")
        },
        moving("A value and permissions that others set at once move both", .value) { fs in
            let key = fs.key("/t/d/k")
            try await fs.store.transaction(attempts: 8) { id throws(XenstoreError) in
                _ = try await fs.store.send(.write(key, value: [1]), in: id)
                let permissions = Permissions(owner: .privileged, everyone: .read)
                _ = try await fs.store.send(.setPermissions(key, permissions), in: id)
                return .commit(())
            }
        },
        moving("A write of others in a directory moves none of its times", []) { fs in
            try await fs.put("new", at: "/t/d/other")
            try await fs.put("new", at: "/t/d/sub/x")
        },
        moving("What others make in a directory moves its times", .list) { fs in
            try await fs.put("1", at: "/t/d/new")
        },
        moving("Parents that others make along move the times", .list) { fs in
            try await fs.put("1", at: "/t/d/new/deep/key")
        },
        moving("What others remove moves the times of the directory", .list) { fs in
            try await fs.store.remove(fs.key("/t/d/other"))
        },
        moving("Permissions that others give a directory move its st_ctime", .listStatus) { fs in
            try await fs.setPermissions("r0", of: "/t/d")
        },
    ]

    private static let setTimes: [Scenario] = [
        moving("utimensat sets st_mtime and moves st_ctime", .value) { fs in
            try await fs.setModified(Timestamp(seconds: 2000, nanoseconds: 7), of: "/t/d/k")
            try expect(try await fs.times("/t/d/k").modified, 2000 * 1_000_000_000 + 7)
            // It stays.
            try await fs.setMode(0o644, of: "/t/d/k")
            try expect(try await fs.times("/t/d/k").modified, 2000 * 1_000_000_000 + 7)
        },
        moving("utimensat sets the time of a directory", .list) { fs in
            try await fs.setModified(Timestamp(seconds: 2000, nanoseconds: 0), of: "/t/d")
            try await fs.put("new", at: "/t/d/other")
            try await fs.write("new", to: "/t/d/k2")
            try await fs.setModified(Timestamp(seconds: -1, nanoseconds: 5), of: "/t/d")
            try expect(try await fs.times("/t/d").modified, 5 - 1_000_000_000)
        },
        moving("A scratch file gives its times to the key", [.value, .list]) { fs in
            try await fs.write("new", to: "/t/d/.tmp")
            try await fs.setModified(Timestamp(seconds: 2000, nanoseconds: 0), of: "/t/d/.tmp")
            try await fs.setMode(0o644, of: "/t/d/.tmp")
            try expect(try await fs.times("/t/d/.tmp").modified, 2000 * 1_000_000_000)
            try await fs.rename("/t/d/.tmp", to: "/t/d/k", .replace)
            try expect(try await fs.times("/t/d/k").modified, 2000 * 1_000_000_000)
            try expect(try await fs.status("/t/d/k").mode, 0o644)
        },
    ]

    private static let valueTimes: [Scenario] = [
        Scenario("`.value` has the time of the value, not of the list") { fs in
            try await prepare(fs)
            try await fs.write("own", to: "/t/d/.value")
            let (directory, value) = (try await fs.times("/t/d"), try await fs.times("/t/d/.value"))
            try await fs.write("new", to: "/t/d/.value")
            try expect(try await fs.times("/t/d"), directory, "the directory")
            let written = try await fs.times("/t/d/.value")
            try expect(written.modified > value.modified, true, "written")
            try await fs.write("1", to: "/t/d/new")
            try expect(try await fs.times("/t/d/.value"), written, "the list changes")
            let changed = try await fs.times("/t/d")
            try await fs.put("others'", at: "/t/d")
            try await eventually {
                try await fs.times("/t/d/.value").modified > written.modified
            }
            try expect(try await fs.times("/t/d"), changed, "others write it")
            // It is listed no more.
            try await fs.unlink("/t/d/.value")
            try expect(try await fs.times("/t/d").modified > changed.modified, true, "removed")
        },
        Scenario("What is made has the time of its making") { fs in
            try await prepare(fs)
            let start = try await fs.times("/t/d").modified
            try await fs.makeDirectory("/t/d/new")
            try await fs.write("1", to: "/t/d/new/k")
            for path in ["/t/d/new", "/t/d/new/k"] {
                try expect(try await fs.times(path).modified > start, true, path)
            }
        },
        Scenario("Each file keeps its number") { fs in
            try await prepare(fs)
            let number = try await fs.times("/t/d/k").inode
            try await fs.write("new", to: "/t/d/k")
            try await fs.put("others'", at: "/t/d/k")
            try await fs.setPermissions("r0", of: "/t/d/k")
            try await waitForEvents(fs)
            try expect(try await fs.times("/t/d/k").inode, number)
            try await fs.unlink("/t/d/k")
            try await fs.write("again", to: "/t/d/k")
            try expect(try await fs.times("/t/d/k").inode != number, true, "another file")
        },
    ]

    /// A scenario of one line of the table.
    ///
    /// - Parameter path: of the key afterwards.
    private static func moving(
        _ claim: String,
        _ moves: Moves,
        _ path: String = "/t/d/k",
        needsEvents: Bool = false,
        _ act: @escaping @Sendable (any Surface) async throws -> Void
    ) -> Scenario {
        Scenario(claim, needsEvents: needsEvents) { fs in
            try await prepare(fs)
            let old = (key: try await fs.times("/t/d/k"), directory: try await fs.times("/t/d"))
            func moved() async throws -> Moves {
                let key = try await fs.times(path)
                let directory = try await fs.times("/t/d")
                var moved: Moves = []
                if key.modified != old.key.modified { moved.insert(.valueModified) }
                if key.changed > old.key.changed { moved.insert(.status) }
                if directory.modified != old.directory.modified { moved.insert(.listModified) }
                if directory.changed > old.directory.changed { moved.insert(.listStatus) }
                return moved
            }
            try await act(fs)
            // With the events of others' changes, and with the late ones of our own.
            try await waitForEvents(fs)
            try expect(try await moved(), moves)
            let (key, directory) = (
                try await fs.times(path), try await fs.times("/t/d")
            )
            try await waitForEvents(fs)
            try expect(try await fs.times(path), key, "a second time")
            try expect(try await fs.times("/t/d"), directory, "a second time")
        }
    }

    /// Keys that were looked at, and whose events have come.
    private static func prepare(_ fs: any Surface) async throws {
        try await fs.put("old", at: "/t/d/k")
        try await fs.put("old", at: "/t/d/other")
        try await fs.put("old", at: "/t/d/sub/x")
        try await fs.put("old", at: "/t/e/x")
        try await fs.put("old", at: "/t/marker")
        try await fs.makeDirectory("/t/d/empty")
        for key in ["/t/d/k", "/t/d", "/t/d/other"] { try await fs.setPermissions("n0", of: key) }
        for path in ["/t/d/k", "/t/d", "/t/d/other", "/t/e", "/t/d/sub", "/t/marker"] {
            _ = try await fs.times(path)
        }
        try await waitForEvents(fs)
        for path in ["/t/d/k", "/t/d"] { _ = try await fs.times(path) }
    }

    /// Waits until the mount has had the events of all changes so far: they come in order, and that
    /// of a value which others write again is seen by its time.
    private static func waitForEvents(_ fs: any Surface) async throws {
        guard fs.hasEvents else { return }
        let old = try await fs.times("/t/marker").modified
        try await fs.put("old", at: "/t/marker")
        try await eventually { try await fs.times("/t/marker").modified > old }
    }
}
