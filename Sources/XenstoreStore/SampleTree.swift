public import XenstoreProtocol

/// A host with two guests, `web` (1) and `database` (2), as the toolstack and the drivers leave
/// them in the store: something to look at where there is no Xen.
public enum SampleTree {
    /// The guests.
    public static let domains = [DomainID(1), DomainID(2)]

    /// The tree as `xenstore-ls -fp` prints it.
    public static let text: String = {
        let web = Guest(
            domain: 1,
            name: "web",
            uuid: "3f2a61d4-9c1b-4e0d-8f57-2b1c6a7d9e01",
            memory: 1_048_576,
            disk: "/dev/vg0/web-disk",
            address: "00:16:3e:5a:10:01"
        )
        let database = Guest(
            domain: 2,
            name: "database",
            uuid: "b81e0c9a-52d7-4f36-a4c8-7d90e3f1b202",
            memory: 4_194_304,
            disk: "/dev/vg0/database-disk",
            address: "00:16:3e:5a:10:02"
        )
        return [
            toolstack, privilegedDomain,
            directory("/local/domain/0/backend"),
            directory("/local/domain/0/backend/vbd"), web.blockBackend, database.blockBackend,
            directory("/local/domain/0/backend/vif"), web.networkBackend, database.networkBackend,
            web.home, database.home,
            directory("/vm"), web.machine, database.machine,
            directory("/libxl"), web.toolstackRecord, database.toolstackRecord,
        ].joined()
    }()

    private static func directory(_ path: String) -> String { "\(path) = \"\"   (n0)\n" }

    private static let toolstack = """
        /tool = ""   (n0)
        /tool/xenstored = ""   (n0)

        """

    private static let privilegedDomain = """
        /local = ""   (n0)
        /local/domain = ""   (n0)
        /local/domain/0 = ""   (n0)
        /local/domain/0/domid = "0"   (n0)
        /local/domain/0/name = "Domain-0"   (n0)
        /local/domain/0/control = ""   (n0)
        /local/domain/0/control/feature-poweroff = "1"   (n0)
        /local/domain/0/control/feature-reboot = "1"   (n0)
        /local/domain/0/memory = ""   (n0)
        /local/domain/0/memory/target = "2097152"   (n0)
        /local/domain/0/memory/static-max = "2097152"   (n0)
        /local/domain/0/memory/freemem-slack = "306380"   (n0)
        /local/domain/0/libxl = ""   (n0)
        /local/domain/0/libxl/disable_udev = "1"   (n0)

        """
}

extension Store {
    /// Makes a store that holds ``SampleTree`` and knows its guests.
    public static func sample(_ compatibility: Compatibility = .xenstored) -> Store {
        let configuration = StoreConfiguration(
            compatibility: compatibility,
            introducedDomains: SampleTree.domains
        )
        let store = Store(configuration: configuration)
        do throws(StoreListing.ParseError) {
            store.replaceContents(with: try StoreListing(parsing: SampleTree.text))
        } catch {
            preconditionFailure("the sample tree is malformed: \(error)")
        }
        return store
    }
}
