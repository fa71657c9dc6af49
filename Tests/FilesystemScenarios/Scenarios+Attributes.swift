import XenstoreFilesystem
import XenstoreProtocol

extension Scenario {
    static let attributes: [Scenario] = [
        Scenario("Owner and mode are the permissions") { fs in
            let modes: [(String, UInt32)] = [
                ("n0", 0o600), ("r0", 0o644), ("w0", 0o622), ("b0", 0o666), ("n0,r1", 0o640),
                ("n0,b1", 0o660), ("r0,w1", 0o664), ("r0,n1", 0o644),
            ]
            for (text, mode) in modes {
                try await fs.put("1", at: "/t/k")
                try await fs.setPermissions(text, of: "/t/k")
                // Permissions are kept until the event of their change has come.
                try await eventually { try await fs.status("/t/k").mode == mode }
            }
            try await fs.put("1", at: "/t/d/child")
            try await fs.setPermissions("r0", of: "/t/d")
            try await eventually { try await fs.status("/t/d").mode == 0o755 }
            try await fs.setPermissions("n1,r2", of: "/t/k")
            try await eventually { try await fs.status("/t/k").userID == 1 }
        },
        Scenario("chmod changes what can be expressed; the rest is EPERM") { fs in
            try await fs.put("1", at: "/t/k")
            try await fs.setPermissions("n0", of: "/t/k")
            try await fs.setMode(0o644, of: "/t/k")
            try expect(try await fs.permissions("/t/k"), "r0")
            try await fs.setMode(0o600, of: "/t/k")
            try expect(try await fs.permissions("/t/k"), "n0")
            for mode: UInt32 in [0o400, 0o444, 0o604, 0o626, 0o4600, 0o2600, 0o1600] {
                try await expectError(.notPermitted) { try await fs.setMode(mode, of: "/t/k") }
            }
            try expect(try await fs.permissions("/t/k"), "n0")
            try await fs.setPermissions("n0,r1", of: "/t/k")
            try await fs.setMode(0o644, of: "/t/k")
            try expect(try await fs.permissions("/t/k"), "r0,r1")
        },
        Scenario("chmod leaves away what nobody could use, and gives nobody more") { fs in
            try await fs.put("1", at: "/t/k")
            try await fs.put("1", at: "/t/d/child")
            for (before, mode, after) in [
                ("n0", 0o640, "n0"), ("n0", 0o700, "n0"), ("n0", 0o755, "r0"), ("r0", 0o660, "n0"),
                ("n0", 0o664, "r0"), ("n0,r1", 0o660, "n0,r1"), ("n0,b1", 0o775, "r0,b1"),
                // Each of these would leave a domain more than the mode says.
                ("n0,r1", 0o600, nil), ("n0,b1", 0o640, nil), ("n0,w1", 0o644, nil),
            ] as [(String, UInt32, String?)] {
                try await fs.setPermissions(before, of: "/t/k")
                if let after {
                    try await fs.setMode(mode, of: "/t/k")
                    try expect(try await fs.permissions("/t/k"), after)
                } else {
                    try await expectError(.notPermitted) { try await fs.setMode(mode, of: "/t/k") }
                    try expect(try await fs.permissions("/t/k"), before)
                }
            }
            for (mode, after) in [
                (0o750, "n0"), (0o711, "n0"), (0o775, "r0"), (0o744, nil), (0o600, nil),
                (0o2755, nil),
            ] as [(UInt32, String?)] {
                try await fs.setPermissions("n0", of: "/t/d")
                if let after {
                    try await fs.setMode(mode, of: "/t/d")
                    try expect(try await fs.permissions("/t/d"), after)
                } else {
                    try await expectError(.notPermitted) { try await fs.setMode(mode, of: "/t/d") }
                    try expect(try await fs.permissions("/t/d"), "n0")
                }
            }
        },
        Scenario("An entry that names no domain hides nothing and stays") { fs in
            for text in [
                "n1,r-1", "n1,r99999999999", "n1,r99999999999,r2", "n1,w2,b-1", "n1,b70000",
                "n1,r32752,r2",
            ] {
                try await fs.put("1", at: "/t/d/k")
                for path in ["/t/d", "/t/d/k"] { try await fs.setPermissions(text, of: path) }
                let kept = try await fs.permissions("/t/d/k")
                let group: UInt32 = text.hasSuffix("r2") ? 0o040 : text.contains("w2") ? 0o020 : 0
                let mode = 0o600 | group
                try await eventually { try await fs.status("/t/d/k").mode == mode }
                try expect(try await fs.status("/t/d").userID, 1)
                try expect(try await fs.names("/t/d"), ["k"])
                try expect(try await fs.text("/t/d/k"), "1\n")
                let shown = try await fs.attribute("user.xenstore.perms", of: "/t/d/k")
                try expect(String(decoding: shown, as: UTF8.self), kept)
                try await fs.setPermissions("n1", of: "/t/d/k")
                try await fs.setAttribute("user.xenstore.perms", to: shown, of: "/t/d/k")
                try expect(try await fs.permissions("/t/d/k"), kept)
                try await fs.setMode(mode | 0o044, of: "/t/d/k")
                try expect(try await fs.permissions("/t/d/k"), "r" + kept.dropFirst())
                try await fs.rename("/t/d", to: "/t/e", .replace)
                try expect(try await fs.permissions("/t/e"), kept)
                try await fs.unlink("/t/e/k")
                try await fs.removeDirectory("/t/e")
            }
        },
        Scenario("chown changes the owner domain") { fs in
            try await fs.put("1", at: "/t/k")
            try await fs.setOwner(2, of: "/t/k")
            try expect(try await fs.permissions("/t/k"), "n2")
            try expect(try await fs.status("/t/k").userID, 2)
        },
        Scenario("user.xenstore.perms and user.xenstore.value get and set") { fs in
            try await fs.put("1", at: "/t/k")
            try await fs.setAttribute("user.xenstore.perms", to: Array("n1,r2".utf8), of: "/t/k")
            try expect(try await fs.permissions("/t/k"), "n1,r2")
            try expect(
                try await fs.attribute("user.xenstore.perms", of: "/t/k"),
                Array("n1,r2".utf8)
            )
            try await fs.setAttribute("user.xenstore.value", to: [0, 10, 255], of: "/t/k")
            try expect(try await fs.store.read(fs.key("/t/k")), [0, 10, 255])
            try expect(try await fs.attribute("user.xenstore.value", of: "/t/k"), [0, 10, 255])
            try await expectError(.invalid) {
                try await fs.setAttribute("user.xenstore.perms", to: [120], of: "/t/k")
            }
            try await expectError(.noData) { _ = try await fs.attribute("user.none", of: "/t/k") }
            for name in ["security.selinux", "system.none", "trusted.none"] {
                try await expectError(.notSupported) {
                    _ = try await fs.attribute(name, of: "/t/k")
                }
            }
            try expect(try await fs.permissions("/t/k"), "n1,r2")
        },
        Scenario("Permissions that others change are seen") { fs in
            try await fs.put("1", at: "/t/k")
            for text in ["n0", "r0", "b1", "n0,r2"] {
                try await fs.setPermissions(text, of: "/t/k")
                // Oxenstored sends the event after the answer.
                try await eventually {
                    try await fs.attribute("user.xenstore.perms", of: "/t/k") == Array(text.utf8)
                }
                let owner = text.contains("1") ? UInt32(1) : 0
                try await eventually { try await fs.status("/t/k").userID == owner }
            }
        },
    ]
}

extension Surface {
    /// Sets permissions as another client.
    func setPermissions(_ text: String, of path: String) async throws {
        guard let permissions = Permissions(text: Array(text.utf8)) else {
            throw Broken(description: "a scenario spells permissions wrong: \(text)")
        }
        try await store.setPermissions(permissions, of: key(path))
    }
}
