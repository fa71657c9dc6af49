/// The sizes that the protocol fixes, from `xen/include/public/io/xs_wire.h` and
/// `docs/misc/xenstore.txt` of the Xen sources.
public enum ProtocolLimits {
    /// Bytes of a message before its payload.
    public static let headerSize = 16

    /// Bytes of payload in a message of either direction. A peer that exceeds it is cut off.
    public static let payloadSize = 4096

    /// Bytes of payload in a request written to `/dev/xen/xenbus`: the kernel's buffer of 4096
    /// bytes holds the header too.
    public static let xenbusPayloadSize = 4080

    /// Bytes of a DIRECTORY reply that a client takes: oxenstored 4.17 has no DIRECTORY_PART and
    /// sends the whole list of a large key in one message, beyond what the protocol allows.
    public static let oversizedListing = 16_777_216

    /// Bytes of an absolute path.
    public static let absolutePathSize = 3072

    /// Bytes of a path that does not begin with `/`.
    public static let relativePathSize = 2048
}
