public import XenstoreFilesystem
import XenstoreProtocol
public import XenstoreStore

extension InProcessSurface where Access == InProcessConnection {
    /// A filesystem over an empty store in this process, with the directory `/t`.
    public static func make(options: FilesystemOptions) async throws -> InProcessSurface {
        let host = StoreHost(store: Store())
        let access = InProcessConnection(host: host)
        let surface = InProcessSurface(
            access,
            other: InProcessConnection(host: host),
            options: options
        ) { filesystem in
            for event in access.takeEvents() {
                filesystem.changed(event.path)
            }
        }
        await surface.filesystem.connected()
        if !options.isReadOnly { try await surface.makeDirectory("/t") }
        return surface
    }
}
