// swift-tools-version: 6.3
import PackageDescription

/// What every target of ours is compiled with.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "xsfs",
    products: [
        .library(name: "XenstoreProtocol", targets: ["XenstoreProtocol"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        .target(name: "XenstoreProtocol", swiftSettings: settings),
        .target(
            name: "EventLoop",
            dependencies: [.product(name: "SystemPackage", package: "swift-system")],
            swiftSettings: settings
        ),
        .target(
            name: "XenstoreFilesystem",
            dependencies: ["XenstoreProtocol"],
            swiftSettings: settings
        ),
        .target(
            name: "XenstoreClient",
            dependencies: [
                "EventLoop",
                "XenstoreProtocol",
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
    ]
)
