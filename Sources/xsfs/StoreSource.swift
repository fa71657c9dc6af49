import Glibc
import XenstoreClient
import XenstoreFilesystem
import XenstoreStore

/// The store that is mounted.
enum StoreSource {
    case remote(StoreAddress)
    case embedded(load: String?, listen: String?, as: Compatibility)

    /// What /proc/mounts shows as the source.
    var name: String {
        switch self {
        case .remote(let address): address.path
        case .embedded: "embedded"
        }
    }

    /// What `.xsfs/status` tells of it.
    var storeDescription: StoreDescription {
        switch self {
        case .remote(.socket(let path)): StoreDescription(address: path, transport: "socket")
        case .remote(.device(let path)): StoreDescription(address: path, transport: "device")
        case .embedded: StoreDescription(address: "", transport: "embedded")
        }
    }

    /// Finds the store where libxenstore looks: see ``StoreAddress/find()``.
    ///
    /// - Throws: ``CommandError`` that names the places.
    static func find() throws -> StoreAddress {
        if let found = StoreAddress.find() {
            // The daemon leaves the directory of the command.
            switch found {
            case .socket(let path): return .socket(try absolutePath(path))
            case .device(let path): return .device(try absolutePath(path))
            }
        }
        let list = StoreAddress.standardPlaces.map(\.path).joined(separator: ", ")
        throw CommandError(
            "no xenstore found: $XENSTORED_PATH is not set, and there is no \(list); "
                + "use --embedded for a store of its own"
        )
    }
}
