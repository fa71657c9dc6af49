import CFuse
import Reactor
import SystemPackage
import XenstoreFilesystem

/// libfuse's session of one mount, from mount(2) to umount(2).
///
/// It belongs to its loop's thread.
final class FuseSession {
    let pointer: OpaquePointer
    /// The number of the mount's device, as makedev(3) gives it.
    let device: UInt64
    private let mountpoint: String
    /// What libfuse hands through to each request.
    private let context: UnsafeMutablePointer<UnsafeRawPointer?>
    private let loop: EventLoop
    private var source: SourceID?
    private var protocolMinor: UInt32?
    private var hasLeftOut = false
    private(set) var isMounted = true
    /// Whether requests may come: the mount is there, and the kernel has not ended it.
    private(set) var isServing = true

    /// Mounts.
    ///
    /// - Throws: ``MountError``; ``FuseMessages`` has the reason.
    init(at mountpoint: String, options: String, on loop: EventLoop) throws(MountError) {
        let context = UnsafeMutablePointer<UnsafeRawPointer?>.allocate(capacity: 1)
        context.initialize(to: nil)
        guard let session = xsfs_session_new(options, context) else {
            context.deallocate()
            throw .refusedOptions(options)
        }
        guard xsfs_session_mount(session, mountpoint) == 0 else {
            xsfs_session_free(session)
            context.deallocate()
            throw .mountFailed(mountpoint)
        }
        pointer = session
        self.mountpoint = mountpoint
        self.context = context
        self.loop = loop
        device = xsfs_mount_device(mountpoint)
        xsfs_guard_mount(device)
    }

    deinit { context.deallocate() }

    // MARK: The kernel

    /// What the kernel offers; nil before it has named its version of the protocol.
    private(set) lazy var kernel: KernelSupport? = protocolMinor.map { minor in
        var missing: Set<KernelSupport.Feature> = []
        if !xsfs_kernel_has_openat2() { missing.insert(.openat2) }
        if !xsfs_kernel_has_open_tree() { missing.insert(.openTree) }
        if minor < 28 { missing.insert(.keptListings) }
        if minor < 35 { missing.insert(.closeWithoutFlush) }
        if !xsfs_session_takes_long_names(pointer) { missing.insert(.longNames) }
        return KernelSupport(missing: missing)
    }

    /// A listing leaves a name out.
    ///
    /// - Returns: whether it is the first.
    func noteLeftOut() -> Bool {
        defer { hasLeftOut = true }
        return !hasLeftOut
    }

    /// The kernel has named its version of FUSE's protocol, 7.`minor`.
    func began(_ minor: UInt32) { protocolMinor = minor }

    /// Has the loop call `serve` when there are requests, which find their mount from then on.
    func start(for mount: FuseMount, _ serve: @escaping () -> Void) {
        context.pointee = UnsafeRawPointer(Unmanaged.passUnretained(mount).toOpaque())
        let descriptor = FileDescriptor(rawValue: xsfs_session_descriptor(pointer))
        source = loop.add(descriptor, for: .readable) { _ in serve() }
    }

    /// Takes note that the kernel has ended the mount.
    func hasEnded() {
        isServing = false
        // The place may be another mount's by now.
        xsfs_guard_mount(0)
        if let source { loop.remove(source) }
    }

    /// Takes the mount away. The session is still there for those who hold its pointer, until
    /// ``free()``.
    func unmount() {
        isMounted = false
        isServing = false
        if let source { loop.remove(source) }
        xsfs_guard_mount(0)
        xsfs_session_unmount(pointer, mountpoint)
    }

    /// Gives the session back, when nobody holds its pointer any more.
    func free() { xsfs_session_free(pointer) }
}
